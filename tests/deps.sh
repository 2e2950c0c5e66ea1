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
sudo=
if [ "$(id -u)" -ne 0 ]; then
	sudo=$(command -v sudo) || { echo "deps: as root: apt-get install$missing" >&2; exit 1; }
fi
echo "deps: installing$missing"

log=$(mktemp)

# The servers among them are for tests, which start their own: none is started now or at the next boot.
policy=/usr/sbin/policy-rc.d
made_policy=
if [ ! -e $policy ]; then
	printf '#!/bin/sh\nexit 101\n' | $sudo tee $policy >/dev/null && $sudo chmod 755 $policy && made_policy=1
fi
done_with() {
	[ "$made_policy" ] && $sudo rm -f $policy
	rm -f "$log"
}
trap done_with EXIT
trap 'exit 130' INT TERM
install() { $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >"$log" 2>&1; }
install || { $sudo apt-get update -q >/dev/null 2>&1; install; } || {
	cat "$log" >&2
	exit 1
}
case $missing in
*dovecot*) [ -d /run/systemd/system ] && $sudo systemctl -q disable dovecot.service dovecot.socket 2>/dev/null ;;
esac
exit 0
