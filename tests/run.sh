#!/bin/sh
# Run the tests of build directory $B; $1... picks some of: layers unit fuzz wire e2e clients (the last
# only when asked for). Last line: "N passed, N failed".
cd "$(dirname "$0")/.." || exit 2
B=${B:-build}
logs=$B/test-logs
rm -rf "$logs" && mkdir -p "$logs"
passed=0 failed=0

# The last line of every test program is "NAME: N passed, N failed"; one that ends otherwise counts as one failure.
run() {
	name=$1
	shift
	timeout "${TEST_TIMEOUT:-900}" "$@" >"$logs/$name.log" 2>&1
	status=$?
	last=$(tail -n 1 "$logs/$name.log" | grep -E '[0-9]+ passed, [0-9]+ failed')
	p=$(printf '%s' "$last" | sed -n 's/.*[^0-9]\([0-9]*\) passed, [0-9]* failed.*/\1/p')
	f=$(printf '%s' "$last" | sed -n 's/.* passed, \([0-9]*\) failed.*/\1/p')
	if [ -z "$last" ] || { [ "$status" -ne 0 ] && [ "${f:-0}" -eq 0 ]; }; then
		p=${p:-0} f=$((${f:-0} + 1))
	fi
	passed=$((passed + p)) failed=$((failed + f))
	if [ "$f" -ne 0 ]; then
		echo "FAIL $name (exit $status)"
		tail -n "${TEST_TAIL:-60}" "$logs/$name.log"
	else
		echo "ok   $name: $p"
	fi
}

for kind in ${*:-layers unit fuzz wire e2e}; do
	case $kind in
	layers) run layers sh tests/layers.sh ;;
	unit) for t in "$B"/tests/test_*; do [ -x "$t" ] && [ ! -d "$t" ] && case $t in *.d) ;; *) run "$(basename "$t")" "$t" ;; esac; done ;;
	fuzz)
		python3 tests/fuzz/from_wire.py "$B/corpus"
		for t in "$B"/tests/fuzz_*; do
			corpus=$(basename "$t" | sed s/fuzz_//)
			case $t in *.d) ;; *) [ -x "$t" ] && run "$(basename "$t")" "$t" "tests/fuzz/corpus/$corpus" "$B/corpus/$corpus" ;; esac
		done
		;;
	wire) [ -x tests/wire/run.sh ] && run wire sh tests/wire/run.sh ;;
	e2e) for t in tests/e2e/test_*.py; do [ -f "$t" ] && run "$(basename "$t" .py)" python3 "$t"; done ;;
	clients) for t in tests/clients/test_*.py; do run "clients-$(basename "$t" .py)" python3 "$t"; done ;;
	test_*) if [ -x "$B/tests/$kind" ]; then run "$kind" "$B/tests/$kind"; elif [ -f "tests/clients/$kind.py" ]; then run "$kind" python3 "tests/clients/$kind.py"; else run "$kind" python3 "tests/e2e/$kind.py"; fi ;;
	*) echo "run.sh: no tests called $kind" >&2; failed=$((failed + 1)) ;;
	esac
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
