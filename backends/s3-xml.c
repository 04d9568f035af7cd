/* Expat, driven over one buffer whose size the HTTP layer has already bounded.
 *
 * The server is not trusted. A DOCTYPE ends the walk at once: no S3 answer has one, and all that makes XML dangerous
 * (entities that multiply, that name files or addresses) begins there. Depth and text have limits, so memory is bounded
 * by them whatever the document says. */
#include "s3-xml.h"

#include <pgofs/buf.h>

#include <errno.h>
#include <expat.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#define DEPTH_MAX 8
#define PATH_SIZE 256

struct walk {
	XML_Parser parser;
	const char *root;
	s3_xml_fn each;
	void *context;
	char path[PATH_SIZE];
	size_t path_len;
	int depth;
	struct pgofs_buf text;
	int result;
	const char *refused; /* our own reason to stop */
};

static void stop(struct walk *w, int result, const char *why)
{
	if (w->result == 0) {
		w->result = result;
		w->refused = why;
	}
	XML_StopParser(w->parser, XML_FALSE);
}

static void on_doctype(void *userdata, const XML_Char *name, const XML_Char *system, const XML_Char *public,
		       int has_subset)
{
	stop(userdata, -EIO, "it has a DOCTYPE, which no S3 server sends");
}

static void on_start(void *userdata, const XML_Char *name, const XML_Char **attributes)
{
	struct walk *w = userdata;
	size_t len = strlen(name);
	if (w->depth == 0 && strcmp(name, w->root)) {
		stop(w, -EIO, "it is another document than the one asked for");
		return;
	}
	if (++w->depth > DEPTH_MAX || len + 2 > PATH_SIZE - w->path_len) {
		stop(w, -EIO, "it is nested too deep");
		return;
	}
	if (w->path_len)
		w->path[w->path_len++] = '/';
	memcpy(w->path + w->path_len, name, len + 1);
	w->path_len += len;
	w->text.len = 0;
}

static void on_end(void *userdata, const XML_Char *name)
{
	struct walk *w = userdata;
	if (w->result) /* expat ends an empty element even after it was told to stop */
		return;
	if (pgofs_buf_append(&w->text, "", 1) < 0) {
		stop(w, -EIO, "an element in it is too long");
		return;
	}
	int r = w->each(w->context, w->path, (const char *)w->text.data);
	if (r) {
		stop(w, r, NULL);
		return;
	}
	w->text.len = 0;
	w->depth--;
	w->path_len -= strlen(name);
	if (w->path_len)
		w->path_len--;
	w->path[w->path_len] = '\0';
}

static void on_text(void *userdata, const XML_Char *text, int len)
{
	struct walk *w = userdata;
	int r = pgofs_buf_append(&w->text, text, (size_t)len);
	if (r < 0)
		stop(w, r == -EFBIG ? -EIO : r, "an element in it is too long");
}

int s3_xml_walk(const void *data, size_t len, const char *root, s3_xml_fn each, void *context, struct pgofs_error *err)
{
	struct walk w = { .root = root, .each = each, .context = context, .text = PGOFS_BUF(S3_XML_TEXT_MAX) };
	w.parser = XML_ParserCreate(NULL);
	if (!w.parser)
		return pgofs_error_errno(err, -ENOMEM, "read the server's XML");

	XML_SetUserData(w.parser, &w);
	XML_SetElementHandler(w.parser, on_start, on_end);
	XML_SetCharacterDataHandler(w.parser, on_text);
	XML_SetStartDoctypeDeclHandler(w.parser, on_doctype);
	bool whole = len <= INT_MAX && XML_Parse(w.parser, data, (int)len, XML_TRUE) == XML_STATUS_OK;

	int r = w.result;
	if (w.refused)
		pgofs_error_set(err, r, "the server's XML is refused: %s", w.refused);
	else if (r == 0 && !whole)
		r = pgofs_error_set(err, -EIO, "the server's XML does not parse: %s",
				    XML_ErrorString(XML_GetErrorCode(w.parser)));
	XML_ParserFree(w.parser);
	pgofs_buf_done(&w.text);
	return r;
}
