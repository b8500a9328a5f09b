/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The law over all observers of names: the same bytes give the same name for any cut, order or
 * duplication. Random hellos go through TCP reassembly and through QUIC Initials; what comes out
 * must be what went in.
 *
 *   test_same_name [ROUNDS [SEED]]    or PHONEHOME_ROUNDS, PHONEHOME_SEED; default 20000, 1
 */
#include "classifier/parse.h"
#include "classifier/reassembly.h"
#include "tests/unit/classifier/check.h"
#include "tests/unit/classifier/quic_build.h"
#include "tests/unit/classifier/recorded.h"

enum {
	ISN = 0xfffffc00u, /* the sequence wraps inside */
	PIECES_MAX = 4096,
	SIDES = 32,
	PACKETS_MAX = 8,
	HEADERS = 40,
};

static unsigned long rounds = 20000;
static uint64_t seed = 1, random_state;
static uint8_t join[CLF_JOIN_MAX];

static uint32_t
rnd(uint32_t below)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((random_state >> 33) % below);
}

/* --- what goes in --- */

struct sample {
	struct buf hello; /* a handshake message */
	char name[80];
	char ja4[37];
};

static void
make_sample(struct sample *s)
{
	static const uint8_t *const real[] = { openssl_tls13, openssl_tls12 };
	static const size_t real_len[] = { sizeof(openssl_tls13), sizeof(openssl_tls12) };
	static const char *const real_name[] = { "ts01-b.cloudsink.net",
		"updates.paloaltonetworks.com" };
	struct clf_tls_hello h;
	uint32_t kind = rnd(8);

	s->hello.len = 0;
	if (kind < 2) {
		put(&s->hello, real[kind] + 5, real_len[kind] - 5);
		strcpy(s->name, real_name[kind]);
	} else {
		struct hello_spec spec = { .sni = s->name };

		snprintf(s->name, sizeof(s->name), "h%u.%s.vendor%u.example", rnd(100000),
		    rnd(2) ? "update" : "telemetry-eu", rnd(100));
		/* Plain, post-quantum, and now and then one of 16 KB. */
		spec.pad = kind < 5 ? rnd(200) : kind < 7 ? 1200 + rnd(600) : 0;
		if (kind == 7 && rnd(16) == 0)
			spec.pad = 16000;
		put_hello(&s->hello, &spec);
	}
	assert_int_equal(
	    clf_tls_client_hello_msg(sig_bytes_of(s->hello.data, s->hello.len), &h), CLF_OBS_DONE);
	assert_string_equal(h.sni.canonical, s->name);
	assert_int_equal(clf_ja4(&h, false, s->ja4), 0);
}

static void
check(const struct sample *s, const struct clf_tls_hello *h, unsigned long round)
{
	char ja4[37];

	if (!h->have_sni || h->two_names || strcmp(h->sni.canonical, s->name) != 0 ||
	    clf_ja4(h, false, ja4) != 0 || strcmp(ja4, s->ja4) != 0)
		fail_msg(
		    "round %lu of seed %llu: wanted %s", round, (unsigned long long)seed, s->name);
}

/* --- pieces of a byte string: cut, repeated, shuffled --- */

struct piece {
	uint32_t off, len;
};

static unsigned
cut(struct piece *pieces, uint32_t len, uint32_t longest)
{
	unsigned n = 0;

	for (uint32_t off = 0; off < len;) {
		uint32_t part = 1 + rnd(longest);

		if (n == PIECES_MAX / 2 - 1 || part > len - off)
			part = len - off;
		pieces[n++] = (struct piece){ off, part };
		off += part;
	}
	return n;
}

/* Some come twice, some with bytes of their neighbours. */
static unsigned
repeat(struct piece *pieces, unsigned n, uint32_t len)
{
	unsigned more = rnd(3) == 0 ? rnd(n + 1) : 0;

	for (unsigned i = 0; i < more && n < PIECES_MAX; i++) {
		struct piece p = pieces[rnd(n)];
		uint32_t before = rnd(8) < p.off ? rnd(8) : 0;

		if (before > p.off)
			before = p.off;
		p.off -= before;
		p.len += before;
		if (rnd(2) && p.off + p.len + 5 < len)
			p.len += 5;
		pieces[n++] = p;
	}
	return n;
}

static void
shuffle(struct piece *pieces, unsigned n)
{
	switch (rnd(4)) {
	case 0: return;
	case 1:
		for (unsigned i = 0; i < n / 2; i++) {
			struct piece p = pieces[i];

			pieces[i] = pieces[n - 1 - i];
			pieces[n - 1 - i] = p;
		}
		return;
	default:
		for (unsigned i = n; i > 1; i--) {
			unsigned k = rnd(i);
			struct piece p = pieces[i - 1];

			pieces[i - 1] = pieces[k];
			pieces[k] = p;
		}
	}
}

/* --- TLS over TCP --- */

static struct clf_pkt
segment(uint8_t *space, uint32_t seq, const uint8_t *p, uint32_t n, uint8_t flags)
{
	if (n)
		memcpy(space + HEADERS, p, n);
	return (struct clf_pkt){ .data = space,
		.len = HEADERS + n,
		.l4_off = 20,
		.payload_off = HEADERS,
		.payload_len = (uint16_t)n,
		.payload_wire = (uint16_t)n,
		.parse = CLF_P_OK,
		.ip_version = 4,
		.protocol = 6,
		.tcp_flags = flags,
		.ttl = 64,
		.seq = seq,
		.window = 65535,
		.l4_csum = CLF_CSUM_GOOD };
}

/* Records of random sizes: sometimes 1 byte each, sometimes one for all. */
static void
random_records(struct buf *b, const struct buf *hello)
{
	/* Tiny records of a big hello would outgrow the window that the peer offers. */
	uint32_t smallest = hello->len > 8000 ? 3 : 1;
	uint32_t longest = rnd(3) == 0 ? smallest + rnd(6) : rnd(2) ? 3 + rnd(400) : 16384;

	for (size_t at = 0; at < hello->len;) {
		size_t n = longest == 16384 ? longest : smallest + rnd(longest);

		if (n > hello->len - at)
			n = hello->len - at;
		put_records(b, hello->data + at, n, n);
		at += n;
	}
}

static void
tls_round(struct clf_stream_pool *pool, const struct sample *sample, unsigned long round)
{
	static struct piece pieces[PIECES_MAX];
	static uint8_t space[HEADERS + 65536];
	static struct clf_tls_hello h;
	static struct buf stream;
	struct clf_stream *s = clf_stream_open(pool);
	struct clf_pkt pkt = segment(space, ISN, NULL, 0, 2);
	enum clf_obs obs = CLF_OBS_MORE;
	uint32_t need = 0;
	unsigned n;

	stream.len = 0;
	random_records(&stream, &sample->hello);
	if (rnd(2))
		put(&stream, "\x14\x03\x03\0\1\1\x17\x03\x03", 9); /* what may follow */
	n = cut(pieces, (uint32_t)stream.len, rnd(8) == 0 ? 1 + rnd(12) : 1460);
	n = repeat(pieces, n, (uint32_t)stream.len);
	shuffle(pieces, n);
	assert_non_null(s);
	clf_stream_syn(s, &pkt);
	for (unsigned i = 0; i < n && obs == CLF_OBS_MORE; i++) {
		struct sig_bytes view;

		pkt = segment(
		    space, ISN + 1 + pieces[i].off, stream.data + pieces[i].off, pieces[i].len, 16);
		clf_stream_push(pool, s, &pkt, false);
		view = clf_stream_view(s);
		if (sig_bytes_left(&view) < need)
			continue;
		obs = clf_tls_client_hello(view, join, &h);
		need = h.need;
	}
	if (obs != CLF_OBS_DONE)
		fail_msg("round %lu of seed %llu: no hello in %zu bytes", round,
		    (unsigned long long)seed, stream.len);
	assert_int_equal(clf_stream_flags(s) & (CLF_FL_AMBIGUOUS | CLF_FL_OVER_LIMIT), 0);
	check(sample, &h, round);
	clf_stream_close(pool, s);
}

/* --- QUIC --- */

static struct quic_side sides[SIDES];

static void
make_sides(void)
{
	for (unsigned i = 0; i < SIDES; i++) {
		uint8_t id[20];

		for (unsigned k = 0; k < sizeof(id); k++)
			id[k] = (uint8_t)rnd(256);
		quic_side_init(&sides[i], i % 2 ? 1 : 0x6b3343cf, id, (uint8_t)(8 + rnd(13)));
	}
}

static void
random_filler(struct buf *payload)
{
	switch (rnd(4)) {
	case 0: put_be(payload, 1, 1); break;			    /* PING */
	case 1: put_be(payload, 0, 1 + rnd(7)); break;		    /* PADDING */
	case 2: put(payload, "\x02\x05\0\x01\0\x01\x01", 7); break; /* ACK */
	default: break;
	}
}

/* Frames dealt out to Initials at random; *ret: how many Initials. */
static unsigned
make_packets(struct buf *packets, const struct sample *s, const struct quic_side *side)
{
	static struct piece pieces[PIECES_MAX];
	static struct buf payload[PACKETS_MAX];
	/* Tiny frames of a big hello are 100 KB: too much for one datagram. */
	const bool tiny = s->hello.len < 8000 && rnd(4) == 0;
	unsigned n_packets = 1 + rnd(PACKETS_MAX);
	unsigned n = cut(pieces, (uint32_t)s->hello.len, tiny ? 1 + rnd(20) : 1000), used = 0;

	n = repeat(pieces, n, (uint32_t)s->hello.len);
	shuffle(pieces, n);
	for (unsigned i = 0; i < n_packets; i++)
		payload[i].len = 0;
	for (unsigned i = 0; i < n; i++) {
		struct buf *p = &payload[rnd(n_packets)];

		random_filler(p);
		put_crypto_frame(p, pieces[i].off, s->hello.data, pieces[i].len);
	}
	for (unsigned i = 0; i < n_packets; i++) {
		while (payload[i].len < 4)
			put_be(&payload[i], 0, 1);
		packets[used].len = 0;
		put_initial(&packets[used++], side, (uint16_t)(i + rnd(2)), &payload[i]);
	}
	return used;
}

static void
quic_round(struct clf_quic_pool *pool, const struct sample *sample, unsigned long round)
{
	static struct buf packets[PACKETS_MAX], dgram;
	static struct clf_quic_result r;
	const struct quic_side *side = &sides[rnd(SIDES)];
	struct clf_quic *q = clf_quic_open(pool);
	struct piece order[2 * PACKETS_MAX];
	unsigned n = make_packets(packets, sample, side), total = n;
	enum clf_obs obs = CLF_OBS_MORE;

	assert_non_null(q);
	for (unsigned i = 0; i < n; i++)
		order[i].off = i;
	for (unsigned i = rnd(n + 1); i > 0; i--)
		order[total++].off = rnd(n);
	shuffle(order, total);
	for (unsigned i = 0; i < total && obs == CLF_OBS_MORE;) {
		unsigned together = 1 + rnd(3);

		dgram.len = 0;
		if (rnd(8) == 0)
			put(&dgram, "\xd0junk that is no packet", 1 + rnd(20));
		else
			for (; together > 0 && i < total && dgram.len < 16000; together--, i++)
				put(&dgram, packets[order[i].off].data, packets[order[i].off].len);
		obs = clf_quic_datagram(q, sig_bytes_of(dgram.data, dgram.len), true, 100, &r);
	}
	if (obs != CLF_OBS_DONE)
		fail_msg("round %lu of seed %llu: no hello", round, (unsigned long long)seed);
	assert_false(r.ambiguous || r.malformed || r.over_limit);
	check(sample, &r.hello, round);
	clf_quic_close(pool, q);
}

static void
test_tls(void **state)
{
	struct clf_stream_pool *pool = clf_stream_pool_new(4 << 20, 1);
	struct sample sample = { 0 };

	(void)state;
	random_state = seed;
	for (unsigned long i = 0; i < rounds / 2; i++) {
		make_sample(&sample);
		tls_round(pool, &sample, i);
	}
	buf_free(&sample.hello);
	clf_stream_pool_free(pool);
}

static void
test_quic(void **state)
{
	struct clf_quic_pool *pool = clf_quic_pool_new(1);
	struct sample sample = { 0 };

	(void)state;
	random_state = seed;
	make_sides();
	for (unsigned long i = 0; i < rounds / 2; i++) {
		make_sample(&sample);
		quic_round(pool, &sample, i);
	}
	buf_free(&sample.hello);
	clf_quic_pool_free(pool);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tls),
		cmocka_unit_test(test_quic),
	};
	const char *env = getenv("PHONEHOME_ROUNDS");

	if (argc > 1 || env)
		rounds = strtoul(argc > 1 ? argv[1] : env, NULL, 10);
	env = getenv("PHONEHOME_SEED");
	if (argc > 2 || env)
		seed = strtoull(argc > 2 ? argv[2] : env, NULL, 10);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
