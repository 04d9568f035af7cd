/* The shape of the tree in one place: what may stand under what.
 *
 * Two questions are answered from the same rule, so that they cannot disagree: is this path a part of the tree, and is
 * this entry, found in storage under that directory, to be shown. A storage may hold anything; only what parses here is
 * ever listed, looked up, written or removed. `.pgofs/` fails the rule for apps, and so is never seen. */
#include "path.h"

#include <pgofs/units.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct segment {
	const char *at;
	size_t len;
};

static int number(struct segment s, size_t want_len)
{
	int n = 0;
	if (s.len != want_len)
		return -1;
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] < '0' || s.at[i] > '9')
			return -1;
		n = n * 10 + (s.at[i] - '0');
	}
	return n;
}

static bool is_merged(struct segment s)
{
	return s.len == 6 && !memcmp(s.at, "merged", 6);
}

static int step_to_app(struct pgofs_path *p, struct segment s)
{
	if (!pgofs_app_valid(s.at, s.len))
		return -EINVAL;
	p->app_len = s.len;
	p->place = PGOFS_PLACE_APP;
	return 0;
}

static int step_to_year(struct pgofs_path *p, struct segment s)
{
	p->year = number(s, 4);
	p->place = PGOFS_PLACE_YEAR;
	return pgofs_days_from_date(p->year, 1, 1, &p->days);
}

static int step_to_month(struct pgofs_path *p, struct segment s)
{
	p->month = number(s, 2);
	p->place = PGOFS_PLACE_MONTH;
	return pgofs_days_from_date(p->year, p->month, 1, &p->days);
}

static int step_to_day(struct pgofs_path *p, struct segment s)
{
	p->place = PGOFS_PLACE_DAY;
	return pgofs_days_from_date(p->year, p->month, number(s, 2), &p->days);
}

static int step_to_profile(struct pgofs_path *p, struct segment s)
{
	char name[PGOFS_NAME_MAX + 1];
	if (s.len >= sizeof name)
		return -EINVAL;
	memcpy(name, s.at, s.len);
	name[s.len] = '\0';
	p->place = PGOFS_PLACE_PROFILE;
	return pgofs_profile_name_valid(name) ? 0 : -EINVAL;
}

static int step_to_merged(struct pgofs_path *p, struct segment s)
{
	p->place = PGOFS_PLACE_MERGED;
	return s.len > 0 && s.len <= PGOFS_NAME_MAX ? 0 : -EINVAL;
}

/* From a place one segment down. */
static int step(struct pgofs_path *p, struct segment s)
{
	switch (p->place) {
	case PGOFS_PLACE_ROOT:
	case PGOFS_PLACE_APP:
		if (is_merged(s)) {
			p->place = PGOFS_PLACE_MERGED_DIR;
			return 0;
		}
		return p->place == PGOFS_PLACE_ROOT ? step_to_app(p, s) : step_to_year(p, s);
	case PGOFS_PLACE_YEAR:
		return step_to_month(p, s);
	case PGOFS_PLACE_MONTH:
		return step_to_day(p, s);
	case PGOFS_PLACE_DAY:
		return step_to_profile(p, s);
	case PGOFS_PLACE_MERGED_DIR:
		return step_to_merged(p, s);
	case PGOFS_PLACE_PROFILE:
	case PGOFS_PLACE_MERGED:
		return -ENOTDIR;
	}
	return -EINVAL;
}

int pgofs_path_parse(const char *text, struct pgofs_path *ret)
{
	struct pgofs_path p = { .place = PGOFS_PLACE_ROOT, .text = text, .name = text };
	for (const char *at = text; *text;) {
		size_t len = strcspn(at, "/");
		int r = step(&p, (struct segment){ at, len });
		if (r < 0)
			return r;
		p.name = at;
		if (!at[len])
			break;
		at += len + 1;
	}
	*ret = p;
	return 0;
}

bool pgofs_place_is_dir(enum pgofs_place place)
{
	return place != PGOFS_PLACE_PROFILE && place != PGOFS_PLACE_MERGED;
}

bool pgofs_path_shows(const struct pgofs_path *dir, const char *name, bool is_dir)
{
	struct pgofs_path p = *dir;
	if (strchr(name, '/') || step(&p, (struct segment){ name, strlen(name) }) < 0)
		return false;
	/* A stored "merged" is not the computed one, and would hide it. */
	return p.place <= PGOFS_PLACE_PROFILE && pgofs_place_is_dir(p.place) == is_dir;
}

char *pgofs_path_parent(char buf[static PGOFS_PATH_SIZE], const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;
	snprintf(buf, PGOFS_PATH_SIZE, "%.*s", (int)len, path);
	return buf;
}

int pgofs_path_join(char buf[static PGOFS_PATH_SIZE], const char *dir, const char *name)
{
	int n = snprintf(buf, PGOFS_PATH_SIZE, "%s%s%s", dir, *dir ? "/" : "", name);
	return n < PGOFS_PATH_SIZE ? 0 : -ENAMETOOLONG;
}
