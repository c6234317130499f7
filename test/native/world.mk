# SPDX-License-Identifier: Apache-2.0
# Included by this directory's Makefile and by test/fuzz: `world_SOURCES` is the product over the fakes, paths from
# the top; `nghttp2` links what it looks up. Wants TOP.

# Looked up at run time (native/h2/library.cpp), as in Node's process: nothing refers to it.
nghttp2 := -Wl,--no-as-needed -lnghttp2

# Files that match, as paths from the top.
files = $(patsubst $(TOP)/%,%,$(wildcard $(addprefix $(TOP)/,$(1))))

# The rooms over the fakes: no network, no OpenSSL, no thread. fake_kernel replaces os/socket_io,
# os/framed_pages, os/closer and files/open_beneath, fake_tls replaces tls/session, tls/promote and tls/ktls.
fake_kernel_SOURCES := $(call files,$(patsubst %,test/native/fakes/%.cpp,\
                         fake_socket fake_kernel fake_ring upstream_socket wire peer site)) \
                       native/os/fd.cpp native/os/mapped_windows.cpp native/os/stable_bytes.cpp \
                       native/os/thread.cpp
world_SOURCES := $(fake_kernel_SOURCES) test/native/fakes/fake_tls.cpp test/native/fakes/world.cpp \
                 $(call files,native/conn/*.cpp native/conn/*/*.cpp \
                   native/h2/*.cpp native/http/*.cpp) \
                 native/files/file_cache.cpp native/files/residency.cpp native/os/pipe_pool.cpp native/os/host.cpp \
                 native/upload/ticket.cpp \
                 native/tls/cipher.cpp native/tls/client_refusal.cpp native/tls/key_health.cpp native/tls/signing.cpp
