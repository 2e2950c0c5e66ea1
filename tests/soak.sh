#!/bin/sh
# Long runs, bounded: each fuzz target for SOAK_SECONDS (default 600), every fault and outage, CRASH_KILLS (500) kills, then the e2e tests again and again as long.
# In between, servers beside each other on one Maildir: RESTANTE_STEPS steps (2000) for each of RESTANTE_SEED ("1 2 3").
# Builds the fuzzers first (`make fuzz`). Last line: "N passed, N failed".
cd "$(dirname "$0")/.." || exit 2
seconds=${SOAK_SECONDS:-600}
passed=0 failed=0
count() { if [ "$1" -eq 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi; }
make --no-print-directory fuzz || exit 1
python3 tests/fuzz/from_wire.py build-fuzz/corpus
for f in build-fuzz/fuzz_*; do
	name=$(basename "$f" | sed s/fuzz_//)
	found=build-fuzz/found-$name
	mkdir -p "$found" "build-fuzz/corpus/$name"
	dictionary=tests/fuzz/$name.dict
	echo "fuzz $name: $seconds s"
	timeout $((seconds + 60)) "$f" -max_total_time="$seconds" -max_len=65536 -rss_limit_mb=4096 -artifact_prefix="$found/crash-" \
		$([ -f "$dictionary" ] && echo -dict="$dictionary") \
		"$found" tests/fuzz/corpus/"$name" build-fuzz/corpus/"$name" >"$found.log" 2>&1
	status=$?
	[ $status -eq 0 ] || tail -n 30 "$found.log"
	count $status
done
for seed in ${RESTANTE_SEED:-1 2 3}; do
	for t in turns_dovecot two_instances; do
		echo "$t: ${RESTANTE_STEPS:-2000} steps of seed $seed"
		log=build-fuzz/$t-$seed.log
		B=${B:-build} RESTANTE_STEPS=${RESTANTE_STEPS:-2000} RESTANTE_SEED=$seed timeout 7200 python3 "tests/e2e/test_$t.py" >"$log" 2>&1
		status=$?
		[ $status -eq 0 ] || { grep -m 1 FAIL "$log"; echo "all of it: $log"; }
		count $status
	done
done
unset RESTANTE_STEPS RESTANTE_SEED
seed=$(date +%s)
echo "concurrency: twelve connections for $seconds s, seed $seed (B=build-asan after make asan: under AddressSanitizer)"
B=${B:-build} CONCURRENCY_SECONDS=$seconds CONCURRENCY_SEED=$seed timeout $((seconds * 2 + 600)) python3 tests/e2e/test_concurrency.py >build-fuzz/concurrency.log 2>&1
status=$?
[ $status -eq 0 ] || { grep -m 1 -A 5 FAIL build-fuzz/concurrency.log; echo "all of it: build-fuzz/concurrency.log"; }
count $status
make --no-print-directory "${B:-build}/tests/test_faults" "${B:-build}/tests/test_move" "${B:-build}/tests/test_power_loss" || exit 1
for t in test_faults test_move test_power_loss; do
	echo "$t: every fault at every call, every outage"
	FAULTS_ALL=1 POWER_LOSS_ALL=1 nice "${B:-build}/tests/$t" >build-fuzz/$t.log 2>&1
	status=$?
	[ $status -eq 0 ] || tail -n 40 build-fuzz/$t.log
	count $status
done
seed=$(date +%s)
echo "test_crash: ${CRASH_KILLS:-500} kills, seed $seed"
B=${B:-build} CRASH_KILLS=${CRASH_KILLS:-500} CRASH_SEED=$seed python3 tests/e2e/test_crash.py >build-fuzz/crash.log 2>&1
status=$?
[ $status -eq 0 ] || tail -n 40 build-fuzz/crash.log
count $status
end=$(($(date +%s) + seconds))
while [ "$(date +%s)" -lt "$end" ]; do
	for t in tests/e2e/test_*.py; do
		B=${B:-build} python3 "$t" >build-fuzz/e2e.log 2>&1
		status=$?
		[ $status -eq 0 ] || tail -n 40 build-fuzz/e2e.log
		count $status
	done
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
