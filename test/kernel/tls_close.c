// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0
/*
 * What close() and shutdown(SHUT_WR) of a kernel-TLS socket lose. A TCP socket
 * still delivers what its send buffer holds; a kernel-TLS socket throws away the
 * encrypted records that TCP had no room for at that moment. Both ends are
 * kernel TLS over loopback with fixed keys, the send buffer is small, and the
 * reader stalls until the writer is done. The writer counts what was accepted,
 * the reader what arrived; every byte says where it belongs.
 *
 * Prints TAP; a test is "not ok" when bytes are missing, or when the call waits
 * for the reader though nothing told it to. Exit code 0: nothing lost; 1: lost;
 * 4: the kernel has no kernel TLS. Needs no hardware: the second half of the
 * cases runs with cryptd, if AF_ALG and cryptd are there, which encrypts
 * asynchronously, as an engine does.
 *
 *	tls_close [CONNECTIONS-PER-TEST]
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_alg.h>
#include <linux/tls.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define PERIOD 251		/* of the pattern: no power of two */
#define PIECE 65536		/* what one call is given */
#define TOTAL (4 << 20)		/* more than the TLS layer takes at once */
#define BUFFER 8192		/* SO_SNDBUF and SO_RCVBUF; the kernel doubles it */
#define STALL_MS 3000		/* how long the reader waits for the close */

enum call { SEND, SENDMSG, SPLICE, SENDFILE };
static const char *const call_name[] = { "send", "sendmsg", "splice", "sendfile" };

enum how {
	CLOSE,			/* until EAGAIN, then close() */
	KILLED,			/* the same, and SIGKILL instead of close() */
	SHUTDOWN,		/* shutdown(SHUT_WR), the peer's end, close(): lingering */
	OPEN_RECORD,		/* all with MSG_MORE: the last record is open */
	LOWAT,			/* TCP_NOTSENT_LOWAT limits the send queue, too */
	BLOCKING,		/* a blocking call, which a signal ends */
	LINGER,			/* SO_LINGER with time: close() waits for the reader */
	ABORT,			/* SO_LINGER without: a reset, and nothing has to arrive */
	NO_READER,		/* the peer never reads, and goes away after the close */
	DRAINED,		/* all has arrived before the close */
};
static const char *const how_name[] = {
	"close", "killed", "shutdown", "close with an open record", "close with TCP_NOTSENT_LOWAT",
	"blocking call, signal, close", "SO_LINGER 10", "SO_LINGER 0", "peer never reads",
	"close of a drained socket",
};

/* What the writer, a process of its own, tells. */
struct told {
	volatile long accepted;
	volatile int closing, closed;
};

struct result {
	long accepted, lost;
	int connections, shortened, reset, wrong, waited;
};

static struct told *told;
static char *pattern;		/* PIECE + PERIOD bytes */
static int file;		/* TOTAL bytes of it */

static void die(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

static void must(int result, const char *what)
{
	if (result < 0)
		die(what);
}

static void set_option(int fd, int level, int name, int value, const char *what)
{
	must(setsockopt(fd, level, name, &value, sizeof(value)), what);
}

/* A connection over loopback; [0] writes, [1] reads. */
static void connect_pair(int fds[2])
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must(listener, "socket");
	must(bind(listener, (void *)&address, length), "bind");
	must(listen(listener, 1), "listen");
	must(getsockname(listener, (void *)&address, &length), "getsockname");
	fds[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(fds[1], "socket");
	set_option(fds[1], SOL_SOCKET, SO_RCVBUF, BUFFER, "SO_RCVBUF");
	must(connect(fds[1], (void *)&address, length), "connect");
	fds[0] = accept(listener, NULL, NULL);
	must(fds[0], "accept");
	close(listener);
	set_option(fds[0], SOL_SOCKET, SO_SNDBUF, BUFFER, "SO_SNDBUF");
	set_option(fds[0], IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY");
}

static int use_tls(int fds[2], int version)
{
	struct tls12_crypto_info_aes_gcm_128 info = {
		.info = { .version = version, .cipher_type = TLS_CIPHER_AES_GCM_128 },
		.key = "not a secret 16", .salt = "abc", .iv = "12345678",
	};

	for (int i = 0; i < 2; i++) {
		if (setsockopt(fds[i], IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) < 0)
			return -1;
		must(setsockopt(fds[i], SOL_TLS, i ? TLS_RX : TLS_TX, &info, sizeof(info)),
		     "TLS_TX or TLS_RX");
	}
	return 0;
}

static ssize_t write_piece(int fd, enum call call, int flags, int pipe_fds[2], size_t *in_pipe)
{
	off_t offset = told->accepted;
	char *bytes = pattern + offset % PERIOD;
	/* Several pieces of memory, none of which is a record. */
	struct iovec parts[3] = { { bytes, 1000 }, { bytes + 1000, 20000 },
				  { bytes + 21000, PIECE - 21000 } };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 3 };
	ssize_t moved;

	switch (call) {
	case SEND:
		return send(fd, bytes, PIECE, flags | MSG_NOSIGNAL);
	case SENDMSG:
		return sendmsg(fd, &message, flags | MSG_NOSIGNAL);
	case SENDFILE:
		return sendfile(fd, file, &offset, PIECE);
	case SPLICE:
		break;
	}
	if (*in_pipe == 0) {
		moved = write(pipe_fds[1], bytes, PIECE / 2);
		if (moved < 0)
			return moved;
		*in_pipe = moved;
	}
	moved = splice(pipe_fds[0], NULL, fd, NULL, *in_pipe, 0);
	if (moved > 0)
		*in_pipe -= moved;
	return moved;
}

static void on_signal(int number)
{
	(void)number;
}

static void tick(void)
{
	struct itimerval timer = { { 0, 50000 }, { 0, 50000 } };
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGALRM, &action, NULL);	/* no SA_RESTART */
	setitimer(ITIMER_REAL, &timer, NULL);
}

/* The writer's process: never returns. */
static void write_and_close(int fd, enum call call, enum how how)
{
	long total = how == DRAINED ? 1000 : TOTAL;
	int pipe_fds[2];
	size_t in_pipe = 0;
	ssize_t written;

	must(pipe(pipe_fds), "pipe");
	if (how == LOWAT)
		set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 4096, "TCP_NOTSENT_LOWAT");
	if (how == BLOCKING)
		tick();
	else
		must(fcntl(fd, F_SETFL, O_NONBLOCK), "O_NONBLOCK");
	if (how == DRAINED) {
		written = send(fd, pattern, total, 0);
		told->accepted = written;
		usleep(200 * 1000);
	} else {
		do {
			written = write_piece(fd, call, how == OPEN_RECORD ? MSG_MORE : 0,
					      pipe_fds, &in_pipe);
			if (written > 0)
				told->accepted += written;
			/* A signal shortens a blocking call. */
			if (how == BLOCKING && written < PIECE)
				break;
		} while (written > 0 && told->accepted < total);
	}
	if (how == LINGER || how == ABORT) {
		struct linger linger = { 1, how == LINGER ? 10 : 0 };

		must(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), "SO_LINGER");
	}
	told->closing = 1;
	if (how == KILLED)
		kill(getpid(), SIGKILL);
	if (how == SHUTDOWN) {
		must(shutdown(fd, SHUT_WR), "shutdown");
		told->closed = 1;
		while (poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, -1) < 0)
			;
	}
	close(fd);
	told->closed = 1;
	_exit(0);
}

/* Reads to the end; true when that was a reset. */
static bool read_all(int fd, long *received, int *wrong)
{
	static char buffer[PIECE];
	ssize_t got;

	while ((got = recv(fd, buffer, sizeof(buffer), 0)) > 0) {
		if (memcmp(buffer, pattern + *received % PERIOD, got) != 0)
			*wrong += 1;
		*received += got;
	}
	return got < 0 && errno == ECONNRESET;
}

static int run_connection(int version, enum call call, enum how how, struct result *result)
{
	int fds[2], status, waited_ms = 0;
	long received = 0;
	pid_t writer;

	connect_pair(fds);
	if (use_tls(fds, version) < 0)
		return -1;
	memset(told, 0, sizeof(*told));
	writer = fork();
	must(writer, "fork");
	if (writer == 0) {
		close(fds[1]);
		write_and_close(fds[0], call, how);
	}
	close(fds[0]);
	alarm(60);
	while (!told->closing && how != DRAINED)
		usleep(1000);
	for (; how != LINGER && how != DRAINED && !told->closed && waited_ms < STALL_MS; waited_ms++) {
		if (waitpid(writer, &status, WNOHANG) == writer) {
			writer = 0;
			break;
		}
		usleep(1000);
	}
	result->waited += waited_ms == STALL_MS;
	if (how != NO_READER)
		result->reset += read_all(fds[1], &received, &result->wrong);
	close(fds[1]);
	if (writer)
		must(waitpid(writer, &status, 0), "waitpid");
	alarm(0);
	result->connections += 1;
	result->accepted += told->accepted;
	if (how != NO_READER && received < told->accepted) {
		result->lost += told->accepted - received;
		result->shortened += 1;
	}
	return 0;
}

static bool is_ok(enum how how, const struct result *result)
{
	if (result->wrong || result->waited)
		return false;
	if (how == ABORT)
		return result->reset == result->connections;
	return result->lost == 0 && result->reset == 0;
}

/* True when a user of gcm(aes) gets an asynchronous one now. */
static bool use_cryptd(void)
{
	struct sockaddr_alg address = { .salg_family = AF_ALG, .salg_type = "aead",
					.salg_name = "cryptd(gcm(aes))" };
	int fd = socket(AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	char line[256], value[128];
	bool is_gcm = false, is_async = false;
	int priority = -1, best = -1;
	FILE *crypto;

	/* It may answer EEXIST or ENOENT and have worked. */
	if (fd >= 0) {
		(void)!bind(fd, (void *)&address, sizeof(address));
		close(fd);
	}
	crypto = fopen("/proc/crypto", "re");
	while (crypto && fgets(line, sizeof(line), crypto)) {
		if (sscanf(line, "name : %127s", value) == 1)
			is_gcm = strcmp(value, "gcm(aes)") == 0;
		if (sscanf(line, "priority : %d", &priority) == 1)
			continue;
		if (is_gcm && sscanf(line, "async : %127s", value) == 1 && priority > best) {
			best = priority;
			is_async = strcmp(value, "yes") == 0;
		}
	}
	if (crypto)
		fclose(crypto);
	return is_async;
}

static int number, failed;
static struct result sum;

static void run_test(const char *cipher, int version, enum call call, enum how how, int connections)
{
	struct result result = { 0 };
	bool ok;

	for (int i = 0; i < connections; i++) {
		if (run_connection(version, call, how, &result) < 0) {
			printf("1..0 # SKIP no kernel TLS: %s\n", strerror(errno));
			exit(4);
		}
	}
	ok = is_ok(how, &result);
	failed += !ok;
	printf("%sok %d - %s, TLS 1.%d, %s: %s # lost %ld of %ld bytes, %d of %d connections short",
	       ok ? "" : "not ", ++number, cipher, version == TLS_1_3_VERSION ? 3 : 2,
	       call_name[call], how_name[how], result.lost, result.accepted, result.shortened,
	       result.connections);
	printf(", %d reset, %d closes waited, %d reads wrong\n", result.reset, result.waited,
	       result.wrong);
	fflush(stdout);
	if (how == ABORT)
		return;
	sum.lost += result.lost;
	sum.accepted += result.accepted;
	sum.shortened += result.shortened;
	sum.connections += result.connections;
}

static void run_tests(const char *cipher, int connections)
{
	static const enum call calls[] = { SEND, SENDMSG, SPLICE, SENDFILE };
	static const int versions[] = { TLS_1_2_VERSION, TLS_1_3_VERSION };

	for (int v = 0; v < 2; v++)
		for (int c = 0; c < 4; c++)
			run_test(cipher, versions[v], calls[c], CLOSE, connections);
	for (enum how how = KILLED; how <= DRAINED; how++)
		run_test(cipher, TLS_1_3_VERSION, SENDMSG, how, connections);
	run_test(cipher, TLS_1_3_VERSION, SPLICE, BLOCKING, connections);
}

int main(int argc, char **argv)
{
	int connections = argc > 1 ? atoi(argv[1]) : 4;

	told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pattern = malloc(PIECE + PERIOD);
	if (told == MAP_FAILED || !pattern)
		die("memory");
	for (int i = 0; i < PIECE + PERIOD; i++)
		pattern[i] = i % PERIOD;
	file = memfd_create("pattern", MFD_CLOEXEC);
	must(file, "memfd_create");
	for (long at = 0; at < TOTAL; at += PIECE)
		if (write(file, pattern + at % PERIOD, PIECE) != PIECE)
			die("write");
	signal(SIGPIPE, SIG_IGN);
	printf("TAP version 13\n");
	run_tests("synchronous", connections);
	if (use_cryptd())
		run_tests("cryptd", connections);
	else
		printf("# no asynchronous AES-GCM: modules cryptd and algif_aead are missing\n");
	printf("# lost %ld of %ld bytes, %d of %d connections short\n", sum.lost, sum.accepted,
	       sum.shortened, sum.connections);
	printf("1..%d\n", number);
	return failed != 0;
}
