/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1 requests, chunked bodies and status lines (RFC 9110, RFC 9112).
 *
 * Read as the servers in the field read, which is laxer than the RFC: bare LF, several blanks,
 * empty lines before the request. Where servers would not agree on the host (two Hosts, folded
 * lines, a blank before the colon, target against Host) the request is `ambiguous`.
 */
#include "classifier/observe.h"

#include <strings.h>

enum {
	LEADING_MAX = 64,    /* bytes of empty lines before a request */
	TRAILERS_MAX = 8192, /* looked at again with every segment */
};

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

/* RFC 9110 5.6.2 */
static bool
is_token(uint8_t c)
{
	if ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
		return true;
	return c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

struct span {
	const uint8_t *p;
	size_t len;
};

static struct span
span_trim(struct span s)
{
	while (s.len && is_blank(s.p[0])) {
		s.p++;
		s.len--;
	}
	while (s.len && is_blank(s.p[s.len - 1]))
		s.len--;
	return s;
}

static bool
span_is(struct span s, const char *word)
{
	size_t n = strlen(word);

	return s.len == n && strncasecmp((const char *)s.p, word, n) == 0;
}

/* One of the comma-separated tokens of a field's value, parameters aside. */
static bool
list_has(struct span s, const char *word)
{
	while (s.len != 0) {
		const uint8_t *comma = memchr(s.p, ',', s.len);
		size_t n = comma ? (size_t)(comma - s.p) : s.len;
		const uint8_t *semi = memchr(s.p, ';', n);
		struct span item = { s.p, semi ? (size_t)(semi - s.p) : n };

		if (span_is(span_trim(item), word))
			return true;
		n += comma ? 1 : 0;
		s.p += n;
		s.len -= n;
	}
	return false;
}

/* The next line without its CRLF or LF. False: the prefix holds no end of line. */
static bool
next_line(struct sig_bytes *b, struct span *ret)
{
	size_t left = sig_bytes_left(b);
	const uint8_t *lf = left ? memchr(b->p, '\n', left) : NULL;

	if (!lf)
		return false;
	ret->p = b->p;
	ret->len = (size_t)(lf - b->p);
	sig_bytes_skip(b, ret->len + 1);
	if (ret->len && ret->p[ret->len - 1] == '\r')
		ret->len--;
	return true;
}

static void
req_clear(struct clf_http_req *r)
{
	r->need = 0;
	r->connect = r->upgrade_h2c = r->ambiguous = false;
	r->have_host = r->have_target = r->have_host2 = false;
	r->target_port = 0;
	r->method = r->path = r->user_agent = NULL;
	r->method_len = r->path_len = r->user_agent_len = 0;
	r->head_len = 0;
	r->body_len = 0;
	r->chunked = r->in_head = false;
}

/* "HTTP/1.1" and its kin. HTTP/2's preface is not ours. */
static bool
is_version(struct span s)
{
	return s.len == 8 && strncasecmp((const char *)s.p, "HTTP/", 5) == 0 && s.p[5] == '1' &&
	       s.p[6] == '.' && s.p[7] >= '0' && s.p[7] <= '9';
}

/* "scheme://authority/path" (RFC 9112 3.2.2). */
static bool
read_absolute(struct clf_http_req *r, struct span target)
{
	size_t n = 0;
	struct span auth;

	while (n < target.len && is_token(target.p[n]))
		n++;
	if (n == 0 || target.len - n < 3 || memcmp(target.p + n, "://", 3) != 0)
		return false;
	auth.p = target.p + n + 3;
	auth.len = 0;
	while (auth.p + auth.len < target.p + target.len && auth.p[auth.len] != '/' &&
	       auth.p[auth.len] != '?' && auth.p[auth.len] != '#')
		auth.len++;
	r->target_port = clf_name_set_authority(&r->target, auth.p, auth.len);
	if (r->target_port == 0)
		r->target_port = span_is((struct span){ target.p, n }, "https") ? 443 : 80;
	r->have_target = true;
	r->path = auth.p + auth.len;
	r->path_len = (uint16_t)(target.p + target.len - r->path);
	return true;
}

static bool
is_old_method(const struct clf_http_req *r)
{
	struct span method = { r->method, r->method_len };

	return span_is(method, "GET") || span_is(method, "POST") || span_is(method, "HEAD");
}

/* method, blanks, target, blanks, version. The target may hold blanks: some agents do not encode.
 */
static enum clf_obs
read_request_line(struct clf_http_req *r, struct span line)
{
	struct span target, version;
	size_t n = 0;

	line = span_trim(line);
	while (n < line.len && is_token(line.p[n]))
		n++;
	r->method = line.p;
	r->method_len = (uint16_t)n;
	if (n == 0 || n == line.len || !is_blank(line.p[n]))
		return CLF_OBS_NOT_MINE;
	target = span_trim((struct span){ line.p + n, line.len - n });
	n = target.len;
	while (n && !is_blank(target.p[n - 1]))
		n--;
	version = (struct span){ target.p + n, target.len - n };
	if (is_version(version)) {
		target = span_trim((struct span){ target.p, n });
	} else if (target.len && target.p[0] == '/' && is_old_method(r)) {
		/* HTTP/0.9 in form. Whether the fields below are read is up to the server. */
		r->ambiguous = true;
	} else {
		return CLF_OBS_NOT_MINE;
	}
	if (target.len == 0)
		return CLF_OBS_BAD;
	if (span_is((struct span){ r->method, r->method_len }, "CONNECT")) {
		r->connect = true;
		r->target_port = clf_name_set_authority(&r->target, target.p, target.len);
		r->have_target = true;
	} else if (!read_absolute(r, target)) {
		r->path = target.p;
		r->path_len = (uint16_t)target.len;
	}
	return CLF_OBS_DONE;
}

static void
read_host(struct clf_http_req *r, struct span value)
{
	if (!r->have_host) {
		clf_name_set_authority(&r->host, value.p, value.len);
		r->have_host = true;
		return;
	}
	clf_name_set_authority(&r->host2, value.p, value.len);
	r->have_host2 = true;
	r->ambiguous = true;
}

/* Two lengths, or a length that is no number, leave the body's end open to opinion. */
static void
read_length(struct clf_http_req *r, struct span value, bool *seen)
{
	uint64_t n = 0;
	bool good = value.len != 0 && value.len < 19;

	for (size_t i = 0; good && i < value.len; i++) {
		good = value.p[i] >= '0' && value.p[i] <= '9';
		n = n * 10 + (uint64_t)(value.p[i] - '0');
	}
	if (!good || (*seen && n != r->body_len))
		r->ambiguous = true;
	if (good && !*seen)
		r->body_len = n;
	*seen = true;
}

struct head_state {
	bool length_seen;
	bool host_last; /* the last header was Host: a folded line would belong to it */
};

static void
read_header(struct clf_http_req *r, struct span line, struct head_state *st)
{
	const uint8_t *colon = memchr(line.p, ':', line.len);
	struct span name, value;
	bool blank_before;

	st->host_last = false;
	if (!colon)
		return;
	name = (struct span){ line.p, (size_t)(colon - line.p) };
	value = span_trim((struct span){ colon + 1, line.len - name.len - 1 });
	blank_before = name.len && is_blank(name.p[name.len - 1]);
	name = span_trim(name);
	/* RFC 9112 5.1: "Host : x" is to be refused, and not every server does. Of a length it is
	 * the next request that some see and some do not. */
	if (span_is(name, "host")) {
		r->ambiguous |= blank_before;
		read_host(r, value);
		st->host_last = true;
	} else if (span_is(name, "user-agent")) {
		if (!r->user_agent) {
			r->user_agent = value.p;
			r->user_agent_len = (uint16_t)value.len;
		}
	} else if (span_is(name, "content-length")) {
		r->ambiguous |= blank_before;
		read_length(r, value, &st->length_seen);
	} else if (span_is(name, "transfer-encoding")) {
		r->ambiguous |= blank_before;
		r->chunked |= list_has(value, "chunked");
	} else if (span_is(name, "upgrade")) {
		r->upgrade_h2c |= list_has(value, "h2c");
	}
}

/* obs-fold (RFC 9112 5.2): some join it to the field above, some read it as a field. */
static void
read_folded(struct clf_http_req *r, struct span line, struct head_state *st)
{
	struct span value = span_trim(line);

	r->ambiguous = true;
	if (value.len >= 5 && strncasecmp((const char *)value.p, "host:", 5) == 0) {
		read_host(r, span_trim((struct span){ value.p + 5, value.len - 5 }));
	} else if (st->host_last && r->host.raw_len == 0 && !r->have_host2) {
		clf_name_set_authority(&r->host, value.p, value.len);
	}
}

/*
 * A line between two LF. A CR alone inside it ends a line for some (RFC 9112 2.2), is a blank for
 * others: its parts are read as lines, so that every host which somebody could see is known.
 */
static void
read_line(struct clf_http_req *r, struct span line, struct head_state *st)
{
	const uint8_t *cr;

	do {
		struct span part = line;

		cr = memchr(line.p, '\r', line.len);
		if (cr) {
			r->ambiguous = true;
			part.len = (size_t)(cr - line.p);
			line.p = cr + 1;
			line.len -= part.len + 1;
		}
		if (part.len != 0 && is_blank(part.p[0]))
			read_folded(r, part, st);
		else
			read_header(r, part, st);
	} while (cr);
}

/* The first bytes, while there is no whole line: could they begin a request? */
static enum clf_obs
judge_start(struct sig_bytes b)
{
	size_t n = 0, left = sig_bytes_left(&b);

	while (n < left && n <= CLF_HTTP_METHOD_MAX && is_token(b.p[n]))
		n++;
	if (n == left && n <= CLF_HTTP_METHOD_MAX)
		return CLF_OBS_MORE;
	if (n == 0 || n > CLF_HTTP_METHOD_MAX || !is_blank(b.p[n]) || (b.p[0] | 0x20) < 'a' ||
	    (b.p[0] | 0x20) > 'z')
		return CLF_OBS_NOT_MINE;
	return CLF_OBS_DONE;
}

static void
finish(struct clf_http_req *r, const struct head_state *st)
{
	if (r->have_target && r->have_host && !clf_name_equal(&r->target, &r->host))
		r->ambiguous = true;
	/* RFC 9112 6.3: both is the start of request smuggling. */
	if (r->chunked && st->length_seen)
		r->ambiguous = true;
}

/* MORE, or BAD when the head is already over the limit. */
static enum clf_obs
want_more(struct clf_http_req *r, size_t have, enum clf_obs at_limit)
{
	r->need = (uint32_t)have + 1;
	return have >= CLF_HTTP_HEAD_MAX ? at_limit : CLF_OBS_MORE;
}

enum clf_obs
clf_http_request(struct sig_bytes stream, struct clf_http_req *ret)
{
	const uint8_t *start = stream.p;
	struct head_state st = { 0 };
	struct span line;
	enum clf_obs obs;
	size_t have;

	req_clear(ret);
	if (sig_bytes_left(&stream) > CLF_HTTP_HEAD_MAX)
		stream.end = stream.p + CLF_HTTP_HEAD_MAX;
	have = sig_bytes_left(&stream);
	/* RFC 9112 2.2: empty lines before the request line are to be ignored. */
	while (stream.p - start < LEADING_MAX &&
	       (sig_bytes_at(&stream, 0) == '\n' ||
		   (sig_bytes_at(&stream, 0) == '\r' && sig_bytes_at(&stream, 1) == '\n')))
		sig_bytes_skip(&stream, stream.p[0] == '\r' ? 2 : 1);
	if (sig_bytes_left(&stream) == 0 || (sig_bytes_left(&stream) == 1 && stream.p[0] == '\r'))
		return want_more(ret, have, CLF_OBS_NOT_MINE);
	obs = judge_start(stream);
	if (obs == CLF_OBS_MORE)
		return want_more(ret, have, CLF_OBS_NOT_MINE);
	if (obs != CLF_OBS_DONE)
		return obs;
	if (!next_line(&stream, &line))
		return want_more(ret, have, CLF_OBS_NOT_MINE);
	obs = read_request_line(ret, line);
	if (obs != CLF_OBS_DONE)
		return obs;
	while (next_line(&stream, &line)) {
		if (line.len == 0) {
			ret->head_len = (uint32_t)(stream.p - start);
			finish(ret, &st);
			return CLF_OBS_DONE;
		}
		read_line(ret, line, &st);
	}
	finish(ret, &st);
	ret->in_head = true;
	return want_more(ret, have, CLF_OBS_BAD);
}

bool
clf_http_goes_on(struct sig_bytes stream, uint32_t seen)
{
	/* The empty line's first LF may be among the bytes that were seen. */
	uint32_t from = seen < 2 ? 0 : seen - 2;

	if (sig_bytes_left(&stream) >= CLF_HTTP_HEAD_MAX || !sig_bytes_skip(&stream, from))
		return false;
	while (sig_bytes_left(&stream) != 0) {
		const uint8_t *lf = memchr(stream.p, '\n', sig_bytes_left(&stream));

		if (!lf)
			return true;
		sig_bytes_skip(&stream, (size_t)(lf + 1 - stream.p));
		if (sig_bytes_at(&stream, 0) == '\n' ||
		    (sig_bytes_at(&stream, 0) == '\r' && sig_bytes_at(&stream, 1) == '\n'))
			return false;
	}
	return true;
}

/* Behind the last chunk, which has no bytes: fields up to an empty line. */
static enum clf_obs
trailers_end(struct sig_bytes body, const uint8_t *start, uint32_t *ret_len)
{
	const uint8_t *from = body.p;
	struct span line;

	while (next_line(&body, &line)) {
		if (body.p - from > TRAILERS_MAX)
			return CLF_OBS_BAD;
		if (line.len != 0)
			continue;
		*ret_len = (uint32_t)(body.p - start);
		return CLF_OBS_DONE;
	}
	return body.end - from > TRAILERS_MAX ? CLF_OBS_BAD : CLF_OBS_MORE;
}

/* RFC 9112 7.1: size in hex, extensions, CRLF, data, CRLF; size 0, trailers, empty line. */
enum clf_obs
clf_http_chunked_end(struct sig_bytes body, uint32_t *ret_len)
{
	const uint8_t *start = body.p;
	struct span line;

	*ret_len = 0;
	while (next_line(&body, &line)) {
		uint64_t size = 0;
		size_t i = 0;

		for (; i < line.len && i < 15; i++) {
			uint8_t c = line.p[i] | 0x20;

			if (line.p[i] >= '0' && line.p[i] <= '9')
				size = size * 16 + (uint64_t)(line.p[i] - '0');
			else if (c >= 'a' && c <= 'f')
				size = size * 16 + (uint64_t)(c - 'a' + 10);
			else
				break;
		}
		if (i == 0 || (i < line.len && line.p[i] != ';' && !is_blank(line.p[i])))
			return CLF_OBS_BAD;
		if (size == 0) {
			return trailers_end(body, start, ret_len);
		}
		if (size > sig_bytes_left(&body))
			return CLF_OBS_MORE;
		sig_bytes_skip(&body, size);
		if (sig_bytes_left(&body) == 0)
			return CLF_OBS_MORE;
		if (sig_bytes_at(&body, 0) == '\r') {
			if (sig_bytes_left(&body) == 1)
				return CLF_OBS_MORE;
			sig_bytes_skip(&body, 1);
		}
		if (sig_bytes_u8(&body) != '\n')
			return CLF_OBS_BAD;
		*ret_len = (uint32_t)(body.p - start);
	}
	return CLF_OBS_MORE;
}

enum clf_obs
clf_http_status(struct sig_bytes stream, unsigned *ret_status, uint32_t *ret_head_len)
{
	static const char version[] = "HTTP/1.";
	const uint8_t *start = stream.p;
	struct span line;
	unsigned status = 0;
	size_t i;

	for (i = 0; i < 7; i++) {
		if (sig_bytes_at(&stream, i) < 0)
			return CLF_OBS_MORE;
		if (sig_bytes_at(&stream, i) != version[i])
			return CLF_OBS_NOT_MINE;
	}
	if (sig_bytes_left(&stream) > CLF_HTTP_HEAD_MAX)
		stream.end = stream.p + CLF_HTTP_HEAD_MAX;
	if (!next_line(&stream, &line))
		return stream.end - start >= CLF_HTTP_HEAD_MAX ? CLF_OBS_BAD : CLF_OBS_MORE;
	for (i = 8; i < line.len && is_blank(line.p[i]); i++)
		;
	for (size_t digits = 0; digits < 3; digits++, i++) {
		if (i >= line.len || line.p[i] < '0' || line.p[i] > '9')
			return CLF_OBS_BAD;
		status = status * 10 + (unsigned)(line.p[i] - '0');
	}
	while (next_line(&stream, &line)) {
		if (line.len != 0)
			continue;
		*ret_status = status;
		*ret_head_len = (uint32_t)(stream.p - start);
		return CLF_OBS_DONE;
	}
	return stream.end - start >= CLF_HTTP_HEAD_MAX ? CLF_OBS_BAD : CLF_OBS_MORE;
}
