#!/bin/bash
# agent_pollers.sh - the files for Nagios and Prometheus, used by the real ones: Nagios
# raises and clears a problem, the exporter delivers every metric that its file names.
. "$top_srcdir/tests/scenario/agent_common.sh"

agent_scenario "Nagios and the SNMP exporter of Prometheus poll a node"
phrase="pass phrase of the poller"
redis=5.114.101.100.105.115
ran=
start_node 1

prometheus() {
    sed "s/username: OBSERVER/username: bascule-poller/; s/PASS PHRASE/$phrase/" \
        "$top_srcdir/etc/prometheus/snmp.yml" >"$dir/snmp.yml"
    ip netns exec "$ns" prometheus-snmp-exporter --config.file="$dir/snmp.yml" \
        --web.listen-address=10.88.0.1:9116 >"$dir/exporter.log" 2>&1 &
    scrape() {
        ip netns exec "$ns" /usr/bin/python3 -c 'import sys, urllib.request
print(urllib.request.urlopen("http://10.88.0.1:9116/snmp?module=bascule&target=10.88.0.1", timeout=10).read().decode())' \
            >"$dir/scrape" 2>>"$dir/exporter.log"
    }
    wait_for 20 scrape || fail "the exporter delivers nothing"
    for m in $(sed -n 's/^    - name: //p' "$dir/snmp.yml"); do
        [ $m = basculeProbeHealth ] || grep -q "^$m" "$dir/scrape" || fail "metric $m is missing: $(cat "$dir/scrape")"
    done
    grep -q '^basculeServiceState{service="redis"} 1' "$dir/scrape" || fail "the state of redis: $(grep ServiceState "$dir/scrape")"
    grep -q '^basculeNodesState{id="3",name="n3"} 2' "$dir/scrape" || fail "the state of n3: $(grep NodesState "$dir/scrape")"
    grep -q '^basculeGateReleased{service="redis"} 4.99999999e+09' "$dir/scrape" || fail "the gate: $(grep Gate "$dir/scrape")"
    ran="$ran Prometheus"
}

nagios() {
    n=$dir/nagios
    mkdir -p "$n/var/archives" "$n/var/results" "$n/rw"
    cat >"$n/nagios.cfg" <<CFG
log_file=$n/nagios.log
cfg_file=$top_srcdir/etc/nagios/bascule.cfg
cfg_file=$n/hosts.cfg
object_cache_file=$n/var/objects.cache
precached_object_file=$n/var/objects.precache
resource_file=$n/resource.cfg
status_file=$n/var/status.dat
status_update_interval=1
nagios_user=nagios
nagios_group=nagios
command_file=$n/rw/nagios.cmd
lock_file=$n/var/nagios.pid
temp_file=$n/var/nagios.tmp
temp_path=$n/var
log_archive_path=$n/var/archives
check_result_path=$n/var/results
state_retention_file=$n/var/retention.dat
query_socket=$n/rw/nagios.qh
use_syslog=0
interval_length=1
max_service_check_spread=1
max_host_check_spread=1
check_for_updates=0
enable_notifications=1
execute_service_checks=1
CFG
    printf '$USER1$=/usr/lib/nagios/plugins\n$USER9$="%s"\n' "$phrase" >"$n/resource.cfg"
    sed "s/10.0.2.1/10.88.0.1/; s/OBSERVER/bascule-poller/; s,/var/log/nagios4,$n," "$top_srcdir/etc/nagios/bascule-hosts.cfg.sample" >"$n/hosts.cfg"
    chmod 755 "$dir"
    chown -R nagios "$n"
    /usr/sbin/nagios4 -v "$n/nagios.cfg" >"$n/verify" || fail "Nagios refuses the files: $(grep -i error "$n/verify")"
    ip netns exec "$ns" /usr/sbin/nagios4 "$n/nagios.cfg" >"$n/out" 2>&1 &
    state() { # SERVICE STATE
        awk -v s="service_description=$1" '/^servicestatus/ { on = 0 } index($0, s) { on = 1 }
            on && /current_state=/ { sub(/.*=/, ""); print; exit }' "$n/var/status.dat" | grep -qx "$2"
    }
    checked() { grep -A60 "service_description=$1\$" "$n/var/status.dat" | grep -m1 has_been_checked=1; }
    wait_for 40 checked "Bascule service redis" || fail "Nagios does not check: $(tail -n 5 "$n/nagios.log")"
    wait_for 20 state "Bascule service redis" 0 || fail "redis is well, Nagios says: $(grep -A40 'Bascule service redis' "$n/var/status.dat" | grep plugin_output)"
    wait_for 20 state "Bascule nodes offline" 1 || fail "n3 is offline and Nagios does not warn"
    wait_for 20 state "Bascule majority" 0 || fail "there is a majority"
    STATE=failed write_state 1
    wait_for 40 state "Bascule service redis" 2 || fail "redis failed and Nagios does not say so"
    wait_for 20 grep -q "SERVICE ALERT: n1;Bascule service redis;CRITICAL" "$n/nagios.log" || fail "no alert"
    wait_for 20 grep -q "PROBLEM n1 Bascule service redis CRITICAL" "$n/bascule.log" || fail "nobody is told"
    write_state 1
    wait_for 40 state "Bascule service redis" 0 || fail "redis is back and Nagios does not say so"
    wait_for 20 grep -q "SERVICE ALERT: n1;Bascule service redis;OK" "$n/nagios.log" || fail "the alert does not end"
    ran="$ran Nagios"
}

command -v prometheus-snmp-exporter >/dev/null && prometheus
[ -x /usr/sbin/nagios4 ] && [ -x /usr/lib/nagios/plugins/check_snmp ] && nagios
[ -n "$ran" ] || skip "needs nagios4-core with monitoring-plugins, or prometheus-snmp-exporter"
echo "polled by:$ran"
pass
