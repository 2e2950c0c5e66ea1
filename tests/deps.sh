#!/bin/sh
# Install the named Debian packages that are missing; elsewhere say what is missing. PACKAGE=COMMAND: any package
# that brings the command will do.
missing=
if ! command -v dpkg-query >/dev/null 2>&1; then
	echo "deps: no dpkg here. restante needs what these Debian packages hold: $*" >&2
	command -v pkg-config >/dev/null 2>&1 && for m in libssl libsystemd libseccomp; do
		pkg-config --exists "$m" || echo "deps: missing: $m (pkg-config)" >&2
	done
	for h in security/pam_appl.h ev.h uthash.h; do
		[ -e "/usr/include/$h" ] || echo "deps: missing: /usr/include/$h" >&2
	done
	exit 0
fi
for p in "$@"; do
	case $p in
	*=*)
		command -v "${p#*=}" >/dev/null 2>&1 && continue
		p=${p%=*}
		;;
	esac
	dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null | grep -qx installed || missing="$missing $p"
done
[ "$missing" ] || exit 0
if [ "$(id -u)" -ne 0 ]; then
	sudo=$(command -v sudo) || { echo "deps: as root: apt-get install$missing" >&2; exit 1; }
fi
echo "deps: installing$missing"
export DEBIAN_FRONTEND=noninteractive
install() { $sudo apt-get install -y -q --no-install-recommends $missing >/tmp/restante-deps.$$ 2>&1; }
install || { $sudo apt-get update -q >/dev/null 2>&1; install; } || {
	cat /tmp/restante-deps.$$ >&2
	exit 1
}
rm -f /tmp/restante-deps.$$
