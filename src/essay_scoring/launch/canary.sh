# The first job of a scheduler, run where the others will: the checks that only that machine can answer.
# Defined before: folder, the array wanted, and the function program_checks.
# shellcheck shell=bash
# shellcheck disable=SC2154 # defined by the lines put before

main() {
    local name said line
    cd -- "$folder" || return 1
    said=$(program_checks)
    printf '%s\n' "$said"
    for name in "${wanted[@]}"; do
        grep -q "^CHECK $name ok" <<<"$said" && continue
        line=$(grep -m 1 "^CHECK $name failed" <<<"$said") || line="CHECK $name did not run"
        printf '%s\n' "${line#CHECK }" >"${0%/*}/canary/reason"
        return 1
    done
}
