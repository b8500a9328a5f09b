/* SPDX-License-Identifier: Apache-2.0 */
/* The DNS memory as bytes, so that it outlives a restart: a head, records, a hash over all. */
#include "classifier/dns_memory_impl.h"

#include <errno.h>

#include "signatures/base/hash.h"

enum {
	IMAGE_VERSION = 1,
	IMAGE_HEAD = 16,
	IMAGE_TAIL = 8,
	IMAGE_RECORD = 8 + 1 + 16 + 16 + 1, /* expiry, version, client, server, name length */
};

static const uint8_t image_magic[8] = { 'p', 'h', 'd', 'n', 's', 'm', 'e', 'm' };

struct writer {
	uint8_t *out;
	size_t at, cap;
};

static void
write_bytes(struct writer *w, const void *p, size_t n)
{
	if (w->at + n <= w->cap)
		memcpy(w->out + w->at, p, n);
	w->at += n;
}

static void
write_be(struct writer *w, uint64_t v, unsigned bytes)
{
	uint8_t be[8];

	for (unsigned i = 0; i < bytes; i++)
		be[i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
	write_bytes(w, be, bytes);
}

/* The next live record at or after *pos, which moves past it; NULL at the head. */
static const struct clf_dns_record *
next_live(const struct clf_dns_memory *m, uint64_t *pos)
{
	while (*pos < m->head) {
		const uint64_t rest = clf_dns_to_end(m, *pos);
		const struct clf_dns_record *r = clf_dns_record_at(m, *pos);

		*pos += rest < sizeof(*r) ? rest : r->size;
		if (rest >= sizeof(*r) && r->live)
			return r;
	}
	return NULL;
}

size_t
clf_dns_memory_save(const struct clf_dns_memory *m, uint8_t *out, size_t cap)
{
	struct writer w = { out, 0, out ? cap : 0 };
	const struct clf_dns_record *r;
	uint64_t pos = m->tail;
	uint32_t count = 0;

	while (next_live(m, &pos))
		count++;
	write_bytes(&w, image_magic, sizeof(image_magic));
	write_be(&w, IMAGE_VERSION, 4);
	write_be(&w, count, 4);
	for (pos = m->tail; (r = next_live(m, &pos)) != NULL;) {
		write_be(&w, r->expires, 8);
		write_be(&w, r->key.ip_version, 1);
		write_bytes(&w, r->key.client, 16);
		write_bytes(&w, r->key.server, 16);
		write_be(&w, r->name_len, 1);
		write_bytes(&w, r->name, r->name_len);
	}
	write_be(&w, w.at <= w.cap ? sig_hash(out, w.at, IMAGE_VERSION) : 0, IMAGE_TAIL);
	return w.at;
}

/* One record of an image, checked. */
struct loaded {
	struct clf_dns_key key;
	uint64_t expires;
	char name[SIG_NAME_MAX + 1];
	size_t len;
};

static bool
is_zero(const uint8_t *p, size_t n)
{
	while (n--)
		if (*p++)
			return false;
	return true;
}

static bool
read_record(struct sig_bytes *b, struct loaded *ret)
{
	const uint8_t *client, *server, *name;
	int len;

	ret->expires = sig_bytes_u64(b);
	memset(&ret->key, 0, sizeof(ret->key));
	ret->key.ip_version = sig_bytes_u8(b);
	client = sig_bytes_take(b, 16);
	server = sig_bytes_take(b, 16);
	ret->len = sig_bytes_u8(b);
	name = sig_bytes_take(b, ret->len);
	if (!sig_bytes_ok(b) || (ret->key.ip_version != 4 && ret->key.ip_version != 6))
		return false;
	memcpy(ret->key.client, client, 16);
	memcpy(ret->key.server, server, 16);
	if (ret->key.ip_version == 4 && (!is_zero(client + 4, 12) || !is_zero(server + 4, 12)))
		return false;
	len = sig_name_canonical(ret->name, name, ret->len);
	return len > 0 && (size_t)len == ret->len && memcmp(ret->name, name, ret->len) == 0;
}

/* The records of an image whose frame is good; *ret_count of them. */
static bool
open_image(const uint8_t *image, size_t len, struct sig_bytes *ret, uint32_t *ret_count)
{
	struct sig_bytes b = sig_bytes_of(image, len), tail;

	if (len < IMAGE_HEAD + IMAGE_TAIL)
		return false;
	tail = sig_bytes_of(image + len - IMAGE_TAIL, IMAGE_TAIL);
	b.end -= IMAGE_TAIL;
	if (memcmp(sig_bytes_take(&b, 8), image_magic, 8) != 0 ||
	    sig_bytes_u32(&b) != IMAGE_VERSION)
		return false;
	*ret_count = sig_bytes_u32(&b);
	*ret = b;
	return sig_bytes_u64(&tail) == sig_hash(image, len - IMAGE_TAIL, IMAGE_VERSION) &&
	       *ret_count <= sig_bytes_left(&b) / IMAGE_RECORD;
}

int
clf_dns_memory_load(struct clf_dns_memory *m, const uint8_t *image, size_t len, uint64_t now_us)
{
	const uint64_t latest = now_us + (uint64_t)CLF_DNS_TTL_MAX_S * 1000000;
	struct sig_bytes records, check;
	struct loaded r;
	const uint64_t before = m->stats.learned;
	uint32_t count = 0;

	if (!image || !open_image(image, len, &records, &count))
		return -EBADMSG;
	check = records; /* all of it before any of it */
	for (uint32_t i = 0; i < count; i++)
		if (!read_record(&check, &r))
			return -EBADMSG;
	if (sig_bytes_left(&check) != 0)
		return -EBADMSG;
	for (uint32_t i = 0; i < count; i++) {
		read_record(&records, &r);
		if (r.expires <= now_us)
			continue;
		clf_dns_memory_put(
		    m, &r.key, r.name, r.len, r.expires < latest ? r.expires : latest);
	}
	return (int)(m->stats.learned - before);
}
