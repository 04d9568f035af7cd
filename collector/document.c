/* The file is written by an administrator, or by a program that discovers targets; either may be wrong, so size, depth and
 * the number of nodes are bounded: a YAML alias can make a small file into a large tree. */
#include "document.h"

#include <pgofs/buf.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#define FILE_MAX  ((size_t)16 << 20)
#define NODES_MAX 1000000
#define DEPTH_MAX 8

static int read_whole(const char *path, struct pgofs_buf *buf)
{
	_cleanup_(pgofs_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	for (;;) {
		int r = pgofs_buf_reserve(buf, buf->max - buf->len < 65536 ? 1 : 65536);
		if (r < 0)
			return r;
		ssize_t n = read(fd, buf->data + buf->len, buf->cap - buf->len);
		if (n <= 0)
			return n < 0 ? -errno : 0;
		buf->len += (size_t)n;
	}
}

struct conversion {
	yaml_document_t *document;
	unsigned n_nodes;
};

static json_t *convert(struct conversion *c, const yaml_node_t *node, int depth);

static json_t *convert_scalar(const yaml_node_t *node)
{
	const char *text = (const char *)node->data.scalar.value;
	bool plain = node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	if (plain && (!*text || !strcmp(text, "~") || !strcmp(text, "null")))
		return json_null();
	return json_stringn(text, node->data.scalar.length);
}

static json_t *convert_sequence(struct conversion *c, const yaml_node_t *node, int depth)
{
	json_t *array = json_array();
	for (const yaml_node_item_t *i = node->data.sequence.items.start; array && i < node->data.sequence.items.top;
	     i++) {
		if (json_array_append_new(array, convert(c, yaml_document_get_node(c->document, *i), depth)) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static json_t *convert_mapping(struct conversion *c, const yaml_node_t *node, int depth)
{
	json_t *object = json_object();
	for (const yaml_node_pair_t *p = node->data.mapping.pairs.start; object && p < node->data.mapping.pairs.top;
	     p++) {
		const yaml_node_t *key = yaml_document_get_node(c->document, p->key);
		const char *name = key->type == YAML_SCALAR_NODE ? (const char *)key->data.scalar.value : NULL;
		json_t *value = NULL;
		if (name && !json_object_get(object, name)) /* twice the same key is a mistake */
			value = convert(c, yaml_document_get_node(c->document, p->value), depth);
		if (json_object_set_new(object, name, value) < 0) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

/* NULL: out of memory, too deep, too many, or a key that is no word or there twice. */
static json_t *convert(struct conversion *c, const yaml_node_t *node, int depth)
{
	if (!node || depth == DEPTH_MAX || ++c->n_nodes > NODES_MAX)
		return NULL;
	switch (node->type) {
	case YAML_SCALAR_NODE:
		return convert_scalar(node);
	case YAML_SEQUENCE_NODE:
		return convert_sequence(c, node, depth + 1);
	case YAML_MAPPING_NODE:
		return convert_mapping(c, node, depth + 1);
	default:
		return NULL;
	}
}

static int parse_yaml(const struct pgofs_buf *text, json_t **ret, struct pgofs_error *err)
{
	yaml_parser_t parser;
	yaml_document_t document;
	if (!yaml_parser_initialize(&parser))
		return pgofs_error_errno(err, -ENOMEM, "YAML");
	yaml_parser_set_input_string(&parser, text->data, text->len);
	if (!yaml_parser_load(&parser, &document)) {
		int r = pgofs_error_set(err, -EINVAL, "line %zu: %s", parser.problem_mark.line + 1,
					parser.problem ? parser.problem : "not YAML");
		yaml_parser_delete(&parser);
		return r;
	}

	struct conversion c = { .document = &document };
	const yaml_node_t *root = yaml_document_get_root_node(&document);
	*ret = root ? convert(&c, root, 0) : json_null();
	yaml_document_delete(&document);
	yaml_parser_delete(&parser);
	return *ret ? 0 : pgofs_error_set(err, -EINVAL, "a key twice, or too deep, or too large");
}

static int parse_json(const struct pgofs_buf *text, json_t **ret, struct pgofs_error *err)
{
	json_error_t why;
	*ret = json_loadb((const char *)text->data, text->len, JSON_REJECT_DUPLICATES, &why);
	return *ret ? 0 : pgofs_error_set(err, -EINVAL, "line %d: %s", why.line, why.text);
}

int document_read(const char *path, json_t **ret, struct pgofs_error *err)
{
	struct pgofs_buf text = PGOFS_BUF(FILE_MAX);
	size_t len = strlen(path);
	int r = read_whole(path, &text);
	if (r < 0)
		pgofs_error_errno(err, r, "read %s", path);
	else if (len > 5 && !strcmp(path + len - 5, ".json"))
		r = parse_json(&text, ret, err);
	else
		r = parse_yaml(&text, ret, err);
	pgofs_buf_done(&text);
	return r == -EINVAL ? pgofs_error_wrap(err, r, "%s", path) : r;
}

const char *document_scalar_text(const json_t *value, struct document_scalar *scratch)
{
	if (json_is_string(value))
		return json_string_value(value);
	if (json_is_boolean(value))
		return json_is_true(value) ? "yes" : "no";
	if (!json_is_integer(value))
		return NULL;
	snprintf(scratch->text, sizeof scratch->text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	return scratch->text;
}
