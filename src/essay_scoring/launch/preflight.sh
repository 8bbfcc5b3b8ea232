# The preflight, after host.sh: every check prints its marker, and the launching side asks for every one of them.
# Defined before: cache disk_kib engine container partition, the arrays tools sbatch host_checks run_checks, and the
# function program_checks.
# shellcheck shell=bash
# shellcheck disable=SC2154,SC2317 # defined by the lines put before; checks are called by their names

check_folder() {
    if [[ ! -d $folder ]]; then
        fail folder "there is no folder $folder"
    elif ! { enter && mkdir -p -- "$runs" "$cache" && [[ -w $runs && -w $cache ]]; }; then
        fail folder "$runs or $cache cannot be written"
    else
        ok folder "$PWD"
    fi
}

check_tools() {
    local tool
    for tool in "${tools[@]}"; do
        if ! command -v -- "$tool" >/dev/null; then
            fail tools "$tool is not installed"
            return
        fi
    done
    ok tools "${tools[*]}"
}

check_disk() {
    local free
    free=$(df -Pk -- "$folder" | awk 'NR == 2 { print $4 }')
    if [[ ! $free =~ ^[0-9]+$ ]]; then
        fail disk "the free space of $folder is unknown"
    elif ((free < disk_kib)); then
        fail disk "$((free / 1048576)) GiB are free, not $((disk_kib / 1048576))"
    else
        ok disk "$((free / 1048576)) GiB free"
    fi
}

check_scheduler() {
    local states where=()
    [[ -z $partition ]] || where=(--partition="$partition")
    if ! scontrol ping 2>/dev/null | grep -q 'is UP'; then
        fail scheduler "the scheduler does not answer"
    elif ! states=$(sinfo --noheader "${where[@]}" --format=%T 2>&1) || [[ -z $states ]]; then
        fail scheduler "the scheduler knows no partition ${partition:-by default}"
    elif ! grep -Eqx '(idle|mixed|allocated|completing|planned)[~#!%$@^-]?' <<<"$states"; then
        fail scheduler "no node of the partition can take jobs: $(sort -u <<<"$states" | paste -sd, -)"
    else
        ok scheduler "$(sort -u <<<"$states" | paste -sd, -)"
    fi
}

check_resources() {
    local said
    if said=$(sbatch --test-only "${sbatch[@]}" --wrap true 2>&1); then
        ok resources "$said"
    else
        fail resources "$said"
    fi
}

check_container() {
    local running
    if [[ $engine = apptainer ]]; then
        if [[ -e $container ]]; then ok container "$container"; else fail container "there is no image $container"; fi
    elif ! running=$("$engine" inspect --format '{{.State.Running}}' "$container" 2>/dev/null); then
        fail container "$engine knows no container $container"
    elif [[ $running != true ]]; then
        fail container "the container $container is not running"
    else
        ok container "$container"
    fi
}

check_live() {
    local who name
    who=$(who_lives "$run")
    for name in $folders; do
        [[ -n $who ]] || who=$(who_lives "$name")
    done
    if [[ -n $who ]]; then fail live "$who"; else ok live "$run"; fi
}

check_session() {
    local stale
    stale=$(sessions_named "$run")
    if [[ -n $stale ]]; then
        fail session "there is a screen session ${stale//$'\n'/, } already"
    else
        ok session "$run"
    fi
}

main() {
    local check said
    failed=
    run=
    folders=
    for check in "${host_checks[@]}"; do
        "check_$check"
        [[ -z $failed ]] || return 0
    done
    said=$(program_checks)
    printf '%s\n' "$said"
    grep -q '^CHECK [a-z_]* failed' <<<"$said" && return 0
    # Of a study, the folders that its steps work in.
    folders=$(sed -n 's/^FACT folders "\([a-z0-9_./ -]*\)"$/\1/p' <<<"$said")
    run=$(sed -n 's/^FACT run "\([a-z0-9_.-]*\)"$/\1/p' <<<"$said")
    if [[ -z $run ]]; then
        echo "the program named no run" >&2
        return 0
    fi
    for check in "${run_checks[@]}"; do
        "check_$check"
    done
}
