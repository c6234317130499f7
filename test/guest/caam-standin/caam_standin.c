// SPDX-License-Identifier: GPL-2.0
/*
 * caam_standin: an asynchronous gcm(aes) engine without hardware, for tests alone.
 *
 * Registers gcm(aes) as gcm-aes-caam-standin at the priority of drivers/crypto/caam, on top of the
 * kernel's synchronous software cipher. A request sits in a job ring until it is due; a softirq (as
 * the tasklet of CAAM's job ring) then does the work and completes it. Beyond ring_depth jobs it does
 * what crypto-engine does before CAAM: a request that may wait gets -EBUSY, -EINPROGRESS when it
 * leaves the backlog, and its result in the end; any other gets -ENOSPC.
 *
 * The source is read and the destination written when the job completes (late=1, as DMA may) or when
 * it is submitted (late=0): a caller that changes or frees memory of a job in flight is only caught
 * by the first.
 *
 * Every parameter can be changed at run time, beneath /sys/module/caam_standin/parameters; what has
 * happened is counted there too. README.md has the table.
 */
#include <crypto/gcm.h>
#include <crypto/internal/aead.h>
#include <crypto/scatterwalk.h>
#include <linux/hrtimer.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/version.h>

#define PARAMETER(type, name, value, text) \
	static type name = value;          \
	module_param(name, type, 0644);    \
	MODULE_PARM_DESC(name, text)

PARAMETER(uint, latency_us, 100, "time that a job takes");
PARAMETER(uint, jitter_us, 0, "random addition to it, at most");
PARAMETER(uint, ns_per_byte, 0, "addition to it for each byte of payload");
PARAMETER(bool, serial, true, "one job at a time; false: all in the ring at once");
PARAMETER(bool, reorder, false, "whoever is due first completes first; false: in order");
PARAMETER(bool, late, true, "memory is touched at completion; false: at submission");
PARAMETER(uint, ring_depth, 497, "jobs in the ring; CAAM: JOBR_DEPTH (512) - THRESHOLD (15)");
PARAMETER(uint, fail_ppm, 0, "jobs that complete with fail_err, of a million");
PARAMETER(uint, fail_after, 0, "the n-th job from now completes with fail_err, once");
PARAMETER(int, fail_err, -EIO, "see fail_ppm");
PARAMETER(uint, refuse_ppm, 0, "submissions that are answered with refuse_err, of a million");
PARAMETER(int, refuse_err, -ENOMEM, "see refuse_ppm");
PARAMETER(uint, corrupt_ppm, 0, "encryptions with one wrong bit in their output, of a million");
PARAMETER(uint, corrupt_open_ppm, 0, "decryptions likewise, whose tag was right");
static bool stall;

#define COUNTER(name)       \
	static ulong name; \
	module_param(name, ulong, 0444)

COUNTER(submitted);
COUNTER(completed);
COUNTER(failed);	/* by fail_ppm or fail_after */
COUNTER(failed_itself);	/* the software cipher's own errors */
COUNTER(refused);
COUNTER(corrupted);
COUNTER(backlogged);	/* -EBUSY */
COUNTER(no_space);	/* -ENOSPC */
COUNTER(bytes);
COUNTER(inflight);
COUNTER(inflight_max);

static struct {
	spinlock_t lock;
	struct list_head jobs;		/* in the ring: at most ring_depth */
	struct list_head backlog;	/* behind it, by order of arrival */
	unsigned int job_count;
	ktime_t last_due;		/* of the job that entered the ring last */
	struct hrtimer timer;
} ring = {
	.lock = __SPIN_LOCK_UNLOCKED(ring.lock),
	.jobs = LIST_HEAD_INIT(ring.jobs),
	.backlog = LIST_HEAD_INIT(ring.backlog),
};

struct standin_context {
	struct crypto_aead *software;
};

struct standin_request {
	struct list_head list;
	struct aead_request *request;
	ktime_t due;
	bool encrypt, done;
	int err;
	struct aead_request inner;	/* last: the software cipher's context follows */
};

static bool roll(uint ppm)
{
	return ppm && get_random_u32() % 1000000 < ppm;
}

static void flip_a_bit(struct aead_request *request)
{
	u8 byte;

	scatterwalk_map_and_copy(&byte, request->dst, request->assoclen, 1, 0);
	byte ^= 1;
	scatterwalk_map_and_copy(&byte, request->dst, request->assoclen, 1, 1);
	corrupted++;
}

/* By the software cipher, with the same lists: in place stays in place. In any context. */
static int do_work(struct standin_request *job)
{
	struct aead_request *request = job->request, *inner = &job->inner;
	struct standin_context *context = crypto_aead_ctx(crypto_aead_reqtfm(request));
	int err;

	aead_request_set_tfm(inner, context->software);
	aead_request_set_callback(inner, 0, NULL, NULL); /* neither sleeps nor waits */
	aead_request_set_crypt(inner, request->src, request->dst, request->cryptlen, request->iv);
	aead_request_set_ad(inner, request->assoclen);
	err = job->encrypt ? crypto_aead_encrypt(inner) : crypto_aead_decrypt(inner);
	if (WARN_ON_ONCE(err == -EINPROGRESS || err == -EBUSY))
		err = -EIO;
	if (!err && request->cryptlen && roll(job->encrypt ? corrupt_ppm : corrupt_open_ppm))
		flip_a_bit(request);
	return err;
}

/* With the lock held. A ring without room for one job could never go on. */
static bool is_ring_full(void)
{
	return ring.job_count >= max(ring_depth, 1u);
}

/* With the lock held. The job that completes next, or NULL. */
static struct standin_request *next_job(void)
{
	struct standin_request *job, *next;

	next = list_first_entry_or_null(&ring.jobs, struct standin_request, list);
	if (reorder)
		list_for_each_entry(job, &ring.jobs, list)
			if (ktime_before(job->due, next->due))
				next = job;
	return next;
}

/* With the lock held. */
static void start_timer(void)
{
	struct standin_request *next = stall ? NULL : next_job();

	if (next)
		hrtimer_start(&ring.timer, next->due, HRTIMER_MODE_ABS_SOFT);
}

/* With the lock held. */
static void enter_ring(struct standin_request *job)
{
	u64 ns = latency_us * 1000ull + (u64)ns_per_byte * job->request->cryptlen;
	ktime_t now = ktime_get(), start = now;

	if (jitter_us)
		ns += get_random_u32() % (jitter_us * 1000ull);
	if (serial && ring.job_count && ktime_after(ring.last_due, now))
		start = ring.last_due;
	job->due = ktime_add_ns(start, ns);
	if (!reorder && ring.job_count && ktime_before(job->due, ring.last_due))
		job->due = ring.last_due;
	ring.last_due = job->due;
	list_add_tail(&job->list, &ring.jobs);
	ring.job_count++;
}

/* With the lock held. The job that has left the backlog for the ring, or NULL. */
static struct standin_request *advance_backlog(void)
{
	struct standin_request *job;

	job = list_first_entry_or_null(&ring.backlog, struct standin_request, list);
	if (!job || is_ring_full())
		return NULL;
	list_del(&job->list);
	enter_ring(job);
	return job;
}

static void finish(struct standin_request *job)
{
	int err = job->done ? job->err : do_work(job);

	if (err)
		failed_itself++;
	else if (roll(fail_ppm) || (fail_after && !--fail_after)) {
		err = fail_err;
		failed++;
	}
	completed++;
	inflight--;
	aead_request_complete(job->request, err); /* the request may be gone after this */
}

/* In a softirq, as the tasklet of CAAM's job ring. */
static enum hrtimer_restart on_timer(struct hrtimer *timer)
{
	struct standin_request *job, *waiting;
	unsigned long flags;

	spin_lock_irqsave(&ring.lock, flags);
	while (!stall && (job = next_job()) && !ktime_before(ktime_get(), job->due)) {
		list_del(&job->list);
		ring.job_count--;
		waiting = advance_backlog();
		spin_unlock_irqrestore(&ring.lock, flags);
		if (waiting)
			aead_request_complete(waiting->request, -EINPROGRESS);
		finish(job);
		spin_lock_irqsave(&ring.lock, flags);
	}
	start_timer();
	spin_unlock_irqrestore(&ring.lock, flags);
	return HRTIMER_NORESTART;
}

static int submit(struct aead_request *request, bool encrypt)
{
	struct standin_request *job = aead_request_ctx(request);
	bool is_full, may_wait = request->base.flags & CRYPTO_TFM_REQ_MAY_BACKLOG;
	unsigned long flags;
	int ret = -EINPROGRESS;

	if (roll(refuse_ppm)) {
		refused++;
		return refuse_err;
	}
	job->request = request;
	job->encrypt = encrypt;
	job->done = !late;
	job->err = late ? 0 : do_work(job);

	spin_lock_irqsave(&ring.lock, flags);
	is_full = is_ring_full();
	if (is_full && !may_wait) {
		no_space++;
		ret = -ENOSPC;
		goto out;
	}
	submitted++;
	bytes += request->cryptlen;
	if (++inflight > inflight_max)
		inflight_max = inflight;
	if (is_full) {
		list_add_tail(&job->list, &ring.backlog);
		backlogged++;
		ret = -EBUSY;
	} else {
		enter_ring(job);
		start_timer();
	}
out:
	spin_unlock_irqrestore(&ring.lock, flags);
	return ret;	/* the request may be complete already */
}

static int standin_encrypt(struct aead_request *request)
{
	return submit(request, true);
}

static int standin_decrypt(struct aead_request *request)
{
	return submit(request, false);
}

static int standin_setkey(struct crypto_aead *tfm, const u8 *key, unsigned int length)
{
	struct crypto_aead *software = ((struct standin_context *)crypto_aead_ctx(tfm))->software;

	crypto_aead_clear_flags(software, CRYPTO_TFM_REQ_MASK);
	crypto_aead_set_flags(software, crypto_aead_get_flags(tfm) & CRYPTO_TFM_REQ_MASK);
	return crypto_aead_setkey(software, key, length);
}

static int standin_setauthsize(struct crypto_aead *tfm, unsigned int bytes)
{
	struct standin_context *context = crypto_aead_ctx(tfm);

	return crypto_gcm_check_authsize(bytes) ?: crypto_aead_setauthsize(context->software, bytes);
}

static int standin_init(struct crypto_aead *tfm)
{
	struct standin_context *context = crypto_aead_ctx(tfm);

	/* The mask asks for a synchronous one: hence never ourselves. */
	context->software = crypto_alloc_aead("gcm(aes)", 0, CRYPTO_ALG_ASYNC);
	if (IS_ERR(context->software))
		return PTR_ERR(context->software);
	crypto_aead_set_reqsize(tfm, sizeof(struct standin_request) +
					     crypto_aead_reqsize(context->software));
	return 0;
}

static void standin_exit(struct crypto_aead *tfm)
{
	struct standin_context *context = crypto_aead_ctx(tfm);

	crypto_free_aead(context->software);
}

static struct aead_alg standin_alg = {
	.setkey = standin_setkey,
	.setauthsize = standin_setauthsize,
	.encrypt = standin_encrypt,
	.decrypt = standin_decrypt,
	.init = standin_init,
	.exit = standin_exit,
	.ivsize = GCM_AES_IV_SIZE,
	.maxauthsize = 16,
	.chunksize = 16,
	.base = {
		.cra_name = "gcm(aes)",
		.cra_driver_name = "gcm-aes-caam-standin",
		.cra_priority = 3000,
		.cra_flags = CRYPTO_ALG_ASYNC | CRYPTO_ALG_KERN_DRIVER_ONLY |
			     CRYPTO_ALG_ALLOCATES_MEMORY,
		.cra_blocksize = 1,
		.cra_ctxsize = sizeof(struct standin_context),
		.cra_module = THIS_MODULE,
	},
};

/* What waits goes on by itself when the engine does. */
static int set_stall(const char *value, const struct kernel_param *parameter)
{
	int err = param_set_bool(value, parameter);
	unsigned long flags;

	if (err || THIS_MODULE->state != MODULE_STATE_LIVE)
		return err;
	spin_lock_irqsave(&ring.lock, flags);
	start_timer();
	spin_unlock_irqrestore(&ring.lock, flags);
	return 0;
}
static const struct kernel_param_ops stall_ops = { .set = set_stall, .get = param_get_bool };
module_param_cb(stall, &stall_ops, &stall, 0644);
MODULE_PARM_DESC(stall, "the engine hangs: nothing completes until this is 0 again");

static int __init standin_module_init(void)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	hrtimer_setup(&ring.timer, on_timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_SOFT);
#else
	hrtimer_init(&ring.timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_SOFT);
	ring.timer.function = on_timer;
#endif
	return crypto_register_aead(&standin_alg);
}

static void __exit standin_module_exit(void)
{
	crypto_unregister_aead(&standin_alg); /* nobody holds it, hence nothing is in flight */
	hrtimer_cancel(&ring.timer);
}

module_init(standin_module_init);
module_exit(standin_module_exit);
MODULE_ALIAS_CRYPTO("gcm(aes)");
MODULE_DESCRIPTION("Asynchronous gcm(aes) in the place of CAAM's job ring");
MODULE_LICENSE("GPL");
