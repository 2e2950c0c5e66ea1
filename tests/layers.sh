#!/bin/sh
# Fails on an include that tests/layers.txt does not allow. Run from the root. Last line: "N passed, N failed".
cd "$(dirname "$0")/.." || exit 2
passed=0 failed=0
rooms=$(sed -n 's/^\([a-z0-9/]*\):.*/\1/p' tests/layers.txt)
for room in $rooms; do
	allowed=$(sed -n "s|^$room:||p" tests/layers.txt)
	for file in "$room"/*.[ch]; do
		[ -f "$file" ] || continue
		bad=
		for include in $(sed -n 's/^#include "\([^"]*\)".*/\1/p' "$file"); do
			from=${include%/*}
			[ "$from" = "$room" ] && continue
			ok=
			for one in $allowed; do
				[ "$from" = "$one" ] || [ "$include" = "$one" ] && ok=1
			done
			[ "$ok" ] || bad="$bad $include"
		done
		if [ "$bad" ]; then
			echo "$file: may not include$bad" >&2
			failed=$((failed + 1))
		else
			passed=$((passed + 1))
		fi
	done
done
for dir in $(find base conf auth server maildir -name '*.[ch]' -exec dirname {} \; | sort -u); do
	grep -q "^$dir:" tests/layers.txt || { echo "$dir: not in tests/layers.txt" >&2; failed=$((failed + 1)); }
done
echo "layers: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
