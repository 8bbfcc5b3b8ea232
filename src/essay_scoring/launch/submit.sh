# Starts a run, after host.sh: all of it, or nothing is left behind.
# Arguments: RUN RECEIPTS PARTS. RECEIPTS, in base64 and gzip, are lines `FOLDER RECEIPT`: a folder below the runs, and
# JSON in base64 in which @JOB@ and @TIME@ are still to be filled in. PARTS are the numbers of the parts of an array
# that are missing, with commas, or `whole`; of a study it is the graph of its steps in base64, as observe.sh reads it.
# Defined before: starter study inside_runs limit minutes canary_minutes beat, the arrays entry sbatch program
# part_program join_program folders changes, and the functions write_config, write_study, write_driver, write_canary.
# shellcheck shell=bash
# shellcheck disable=SC2154,SC2317 # defined by the lines put before; starters are called by their names

refuse() {
    undo
    printf 'REFUSED %s %s\n' "$1" "${2//$'\n'/ }"
    exit 0
}

undo() { # end what was started and take back the receipts
    local folder
    [[ -z $started ]] || "end_$starter"
    for folder in "${receipted[@]}"; do
        rm -f -- "$runs/$folder/receipt.json"
        if [[ -f $launch/before/$folder ]]; then mv -f -- "$launch/before/$folder" "$runs/$folder/receipt.json"; fi
    done
}

write_receipts() { # write_receipts JOB
    local lines line
    lines=$(base64 -d <<<"$receipts" | gzip -d) && [[ -n $lines ]] || return 1
    mapfile -t lines <<<"$lines"
    rm -rf -- "$launch/before"
    for line in "${lines[@]}"; do
        write_receipt "${line%% *}" "${line#* }" "$1" || return 1
    done
}

write_receipt() { # write_receipt FOLDER RECEIPT JOB
    local text path=$runs/$1
    text=$(base64 -d <<<"$2") || return 1
    text=${text//@JOB@/$3}
    text=${text//@TIME@/$(date -u +%FT%TZ)}
    mkdir -p -- "$path" || return 1
    if [[ -f $path/receipt.json ]]; then
        mkdir -p -- "$(dirname -- "$launch/before/$1")" && cp -p -- "$path/receipt.json" "$launch/before/$1" || return 1
    fi
    receipted+=("$1")
    printf '%s\n' "$text" >"$path/.receipt.new" && mv -f -- "$path/.receipt.new" "$path/receipt.json"
}

drive() { # drive PLACE COMMAND...: the words that run a command there
    local place=$1
    shift
    words=(bash "$launch/drive.sh" "$launch$place" "$inside_launch$place" "$limit" "$beat" "${#entry[@]}" "${entry[@]}" "$@")
}

start_local() {
    drive "" "${program[@]}" "$inside_launch/config.json" "${folders[@]}"
    started=1
    setsid --fork "${words[@]}" </dev/null >/dev/null 2>&1
}

end_local() {
    end_driver
}

start_screen() {
    drive "" "${program[@]}" "$inside_launch/config.json" "${folders[@]}"
    started=1
    "$screen" -dmS "$run" "${words[@]}"
}

end_screen() {
    end_driver
    "$screen" -S "$run" -X quit >/dev/null 2>&1
}

end_driver() {
    held "$launch/lock" && kill -TERM "$(cat -- "$launch/driver")" 2>/dev/null
}

await_driver() { # a started driver shows its heartbeat
    local tries
    for ((tries = 0; tries < 300; tries++)); do
        if [[ -f $launch/heartbeat || -f $launch/exit_code ]]; then return 0; fi
        sleep 0.1
    done
    return 1
}

queue() { # queue NAME FLAGS...: submit `words` as a job; its number is left in `job`
    local name=$1
    shift
    local said known
    known=$(jobs_named "$run")
    started=1
    said=$(sbatch --parsable --no-requeue --job-name="$run" --chdir="$folder" --open-mode=append \
        --output="$launch/slurm-%A-%a.log" "${sbatch[@]}" "$@" "${words[@]:1}" 2>"$launch/sbatch.err") ||
        refuse submit "sbatch refused the $name job: $(cat -- "$launch/sbatch.err")"
    # A site's wrapper may print lines of its own: the number stands on one by itself, or the queue has it.
    job=$(grep -Ex '[0-9]+(;[^ ]*)?' <<<"$said" | cut -d';' -f1)
    [[ $job =~ ^[0-9]+$ ]] || job=$(comm -13 <(echo "$known") <(jobs_named "$run"))
    [[ $job =~ ^[0-9]+$ ]] || refuse submit "sbatch gave no job number for the $name job, it said: ${said:0:300}"
    jobs+=("$name" "$job")
}

queue_canary() { # held, so that nothing runs before the receipts lie in their folders
    local saved=("${entry[@]}")
    entry=()
    drive /canary bash "$launch/canary.sh"
    entry=("${saved[@]}")
    queue canary --hold --time="$canary_minutes"
    held_job=$job
}

start_slurm() {
    local after=(--kill-on-invalid-dep=yes)
    queue_canary
    if [[ $parts != whole ]]; then
        drive /parts "${part_program[@]}" "$inside_launch/config.json" "${folders[@]}"
        mkdir -p -- "$launch/parts"
        queue array "${after[@]}" --dependency="afterok:$job" --array="$parts" --time="$minutes"
        drive "" "${join_program[@]}" "$inside_launch/config.json" "${folders[@]}"
        queue join "${after[@]}" --dependency="afterok:$job" --time="$minutes"
    else
        drive "" "${program[@]}" "$inside_launch/config.json" "${folders[@]}"
        queue train "${after[@]}" --dependency="afterok:$job" --time="$minutes"
    fi
}

start_graph() { # a job or an array for every step of a study or search that has something left to do
    local lines line name after tasks step how flags before
    local -A numbers=()
    queue_canary
    numbers[canary]=$job
    mapfile -t lines <"$launch/graph"
    for line in "${lines[@]}"; do
        read -r name after tasks _ <<<"$line"
        [[ $tasks != "done" ]] || continue
        flags=()
        [[ $tasks = job ]] || flags=(--array="$tasks")
        if [[ $name = "${lines[-1]%% *}" ]]; then # the last is the whole command
            drive "" "${program[@]}" "$inside_launch/study/$study" "${changes[@]}" --exit-zero "${folders[@]}"
        else
            drive "/steps/$name" "${program[@]}" "$inside_launch/study/$study" "${changes[@]}" --step "$name" "${folders[@]}"
        fi
        after=canary,$after
        before=
        for step in ${after//,/ }; do
            how=afterok
            [[ $step != *\? ]] || how=afterany
            step=${step%\?}
            [[ -z ${numbers[$step]-} ]] || before+=,$how:${numbers[$step]}
        done
        queue "$name" --kill-on-invalid-dep=yes --dependency="${before#,}" --time="$minutes" "${flags[@]}"
        numbers[$name]=$job
    done
}

end_graph() {
    end_slurm
}

end_slurm() {
    local job
    # By name: there was no such job before, and one whose number was never told is ours too.
    for job in $(jobs_named "$run"); do scancel "$job" >/dev/null 2>&1; done
}

read_back_slurm() { # every job is known to the scheduler; then the first may go
    local at
    for ((at = 1; at < ${#jobs[@]}; at += 2)); do
        scontrol show job "${jobs[at]}" >/dev/null 2>&1 || refuse submit "the scheduler does not know job ${jobs[at]}"
    done
    scontrol release "$held_job" >/dev/null 2>&1 || refuse submit "the scheduler did not release job $held_job"
}

write_settings() {
    if [[ $starter = graph ]]; then
        write_study "$launch/study" && base64 -d <<<"$parts" >"$launch/graph"
    else
        write_config "$launch/config.json"
    fi
}

main() {
    unset SLURM_ARRAY_TASK_ID # a launch from inside an array is no task of it
    run=$1
    receipts=$2
    parts=$3
    started=
    receipted=()
    jobs=()
    [[ $run =~ ^[a-z0-9][a-z0-9_.-]*$ ]] || { echo "REFUSED submit $run is no name of a run" && return 0; }
    enter || refuse submit "there is no folder $folder"
    launch=$runs/$launches/$run
    inside_launch=$inside_runs/$launches/$run
    mkdir -p -- "$launch" || refuse submit "$launch cannot be made"
    exec 8>>"$launch/submit.lock"
    flock -n 8 || refuse live "another launch of $run is being submitted"
    who=$(who_lives "$run")
    [[ -z $who ]] || refuse live "$who"
    trap 'refuse submit "it was interrupted"' HUP INT TERM
    rm -rf -- "$launch"/{exit_code,reason,heartbeat,driver,jobs,canary,parts,graph,steps,study}
    if ! { write_settings && write_driver "$launch/drive.sh" && write_canary "$launch/canary.sh"; }; then
        refuse submit "$launch cannot be written"
    fi
    printf '%s\n' "$backend" >"$launch/backend"
    if [[ $starter = slurm || $starter = graph ]]; then
        "start_$starter"
        write_receipts "$(printf '%s=%s ' "${jobs[@]}")" || refuse submit "the receipts cannot be written"
        printf '%s %s\n' "${jobs[@]}" >"$launch/jobs"
        read_back_slurm
    else
        write_receipts "session=$run" || refuse submit "the receipts cannot be written"
        # The driver must not inherit the lock of this submission.
        "start_$starter" 8>&- || refuse submit "it could not be started"
        await_driver || refuse submit "its driver did not come up within 30 s"
    fi
    printf 'LAUNCHED %s\n' "${jobs[*]:-session $run}"
}
