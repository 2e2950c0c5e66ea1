#include "auth/expand.h"

#include <errno.h>

/* What is written so far: at most LIMIT_PATH_BYTES. */
struct path {
	char *bytes;
	size_t n;
};

static int add(struct path *path, struct slice s)
{
	if (s.n > LIMIT_PATH_BYTES - path->n)
		return -ENAMETOOLONG;
	if (s.n > 0)
		memcpy(path->bytes + path->n, s.p, s.n);
	path->n += s.n;
	return 0;
}

/* A part of a name, or the whole: it must stay one component. */
static int add_name(struct path *path, struct slice s)
{
	if (s.n == 0 || slice_equal(s, SLICE(".")) || slice_equal(s, SLICE("..")) || slice_find(s, '/') >= 0)
		return -EDOM;
	return add(path, s);
}

static int add_letter(struct path *path, char letter, struct slice user)
{
	ssize_t at = slice_find_last(user, '@');

	switch (letter) {
	case 'u':
		return add_name(path, user);
	case 'n':
		return add_name(path, at < 0 ? user : slice_head(user, (size_t)at));
	case 'd':
		return add_name(path, at < 0 ? SLICE("") : slice_tail(user, (size_t)at + 1));
	case '%':
		return add(path, SLICE("%"));
	default:
		return -EINVAL;
	}
}

static int add_home(struct path *path, struct slice *template, struct slice home)
{
	if (!slice_skip(template, '~'))
		return 0;
	if (template->n > 0 && template->p[0] != '/')
		return -EINVAL; /* "~user" is not for mail paths */
	return home.n > 0 ? add(path, home) : -ENOENT;
}

static int expand_letters(struct path *path, struct slice template, const struct expand_names *names)
{
	int r = add_home(path, &template, names->home);

	while (r == 0 && template.n > 0) {
		struct slice c = slice_take(&template, 1);

		if (c.p[0] != '%')
			r = add(path, c);
		else if (template.n > 0)
			r = add_letter(path, slice_take(&template, 1).p[0], names->user);
		else
			r = -EINVAL;
	}
	return r;
}

/* Drop empty components, refuse what leads elsewhere. The result is never longer than the raw path. */
static int normalise(struct slice raw, char ret_path[LIMIT_PATH_BYTES + 1])
{
	char bytes[LIMIT_PATH_BYTES + 1];
	struct path path = { .bytes = bytes };
	struct slice component;

	if (!slice_skip(&raw, '/'))
		return -EINVAL;
	while (slice_split(&raw, '/', &component)) {
		if (component.n == 0)
			continue;
		if (slice_equal(component, SLICE(".")) || slice_equal(component, SLICE("..")))
			return -EINVAL;
		if (add(&path, SLICE("/")) < 0 || add(&path, component) < 0)
			return -ENAMETOOLONG;
	}
	if (path.n == 0)
		return -EINVAL;
	memcpy(ret_path, bytes, path.n);
	ret_path[path.n] = '\0';
	return 0;
}

int expand_path(const char *template, const struct expand_names *names, char ret_path[LIMIT_PATH_BYTES + 1])
{
	char bytes[LIMIT_PATH_BYTES + 1];
	struct path path = { .bytes = bytes };
	int r = expand_letters(&path, slice_str(template), names);

	return r < 0 ? r : normalise(slice_from(bytes, path.n), ret_path);
}
