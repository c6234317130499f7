// SPDX-License-Identifier: Apache-2.0
// A PKCS #11 module in front of SoftHSM's that behaves as the file $SLOW_TOKEN says, looked at with
// each signature: a number is a delay in milliseconds, "hang" lasts until the file says otherwise,
// "pulled" and "locked" are a token that is gone, and one whose PIN is. What it is asked for goes to
// the file $SLOW_TOKEN.log, a letter each: s a signature, l a login, f a search. Built by the test that needs it.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// PKCS #11 v2.40, 5: the version, then the functions in this order.
enum { kLogin = 18, kFindObjectsInit = 26, kSignInit = 42, kSign = 43, kFunctions = 68 };
enum { kDeviceRemoved = 0x32, kPinLocked = 0xa4, kNotLoggedIn = 0x101 };

typedef unsigned long Rv;
typedef void (*Function)(void);
struct list {
  unsigned char version[2];
  Function functions[kFunctions];
};

static struct list ours;
static const struct list* theirs;

static int mood(char* out, size_t bytes) {
  const char* path = getenv("SLOW_TOKEN");
  FILE* file = path != NULL ? fopen(path, "r") : NULL;
  out[0] = 0;
  if (file == NULL) return 0;
  if (fgets(out, (int)bytes, file) == NULL) out[0] = 0;
  fclose(file);
  return atoi(out);
}

static int is_mood(const char* word) {
  char text[32];
  mood(text, sizeof text);
  return strncmp(text, word, strlen(word)) == 0;
}

static void note(const char* letter) {
  char path[512];
  snprintf(path, sizeof path, "%s.log", getenv("SLOW_TOKEN"));
  FILE* file = fopen(path, "a");
  if (file == NULL) return;
  fputs(letter, file);
  fclose(file);
}

static Rv login(unsigned long session, unsigned long user, unsigned char* pin, unsigned long bytes) {
  note("l");
  if (is_mood("locked")) return kPinLocked;
  return ((Rv(*)(unsigned long, unsigned long, unsigned char*, unsigned long))
              theirs->functions[kLogin])(session, user, pin, bytes);
}

static Rv find_objects_init(unsigned long session, void* template, unsigned long count) {
  note("f");
  return ((Rv(*)(unsigned long, void*, unsigned long))theirs->functions[kFindObjectsInit])(
      session, template, count);
}

static Rv sign_init(unsigned long session, void* mechanism, unsigned long key) {
  if (is_mood("pulled")) return kDeviceRemoved;
  if (is_mood("locked")) return kNotLoggedIn;
  return ((Rv(*)(unsigned long, void*, unsigned long))theirs->functions[kSignInit])(
      session, mechanism, key);
}

static Rv sign(unsigned long session, unsigned char* data, unsigned long data_bytes,
               unsigned char* out, unsigned long* out_bytes) {
  char text[32];
  if (out != NULL) {
    note("s");
    usleep(1000u * (unsigned)mood(text, sizeof text));
    while (is_mood("hang")) usleep(10000);
    if (is_mood("pulled")) return kDeviceRemoved;
  }
  return ((Rv(*)(unsigned long, unsigned char*, unsigned long, unsigned char*, unsigned long*))
              theirs->functions[kSign])(session, data, data_bytes, out, out_bytes);
}

Rv C_GetFunctionList(const struct list** out) {
  void* module = dlopen("/usr/lib/softhsm/libsofthsm2.so", RTLD_NOW | RTLD_DEEPBIND);
  if (module == NULL) return 5;
  Rv (*get)(const struct list**) = (Rv(*)(const struct list**))dlsym(module, "C_GetFunctionList");
  const Rv result = get(&theirs);
  if (result != 0) return result;
  ours = *theirs;
  ours.functions[kLogin] = (Function)login;
  ours.functions[kFindObjectsInit] = (Function)find_objects_init;
  ours.functions[kSignInit] = (Function)sign_init;
  ours.functions[kSign] = (Function)sign;
  *out = &ours;
  return 0;
}
