#!/bin/bash
# zabbix.sh - the Zabbix template in a real Zabbix server: imported, discovers, raises a
# problem and clears it.  Heavy (a database, some minutes), so not among the tests of
# make check:
#
#   make zabbix-check      with zabbix-server-pgsql zabbix-frontend-php postgresql php-cli
#                          php-pgsql php-xml php-mbstring php-gd php-bcmath php-curl
. "$top_srcdir/tests/scenario/agent_common.sh"

agent_scenario "the template for Zabbix, imported and at work"
[ -x /usr/sbin/zabbix_server ] && command -v php >/dev/null || skip "needs Zabbix, see the head of this file"
bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
[ -x "$bin/initdb" ] || skip "needs postgresql"
z=$dir/zabbix
mkdir -p "$z/run" "$z/etc"
chmod 755 "$dir" "$z"
chown -R postgres "$z"
as() { ip netns exec "$ns" runuser -u postgres -- "$@"; }
as "$bin/initdb" -A trust -D "$z/db" >"$z/initdb.log" 2>&1 || fail "initdb: $(tail -n 3 "$z/initdb.log")"
as "$bin/postgres" -D "$z/db" -k "$z/run" -h "" -c fsync=off >"$z/db.log" 2>&1 &
sql() { as psql -q -h "$z/run" -d "${1:-zabbix}" >/dev/null 2>>"$z/sql.log"; }
wait_for 20 as psql -h "$z/run" -d postgres -c "select 1" || fail "no database"
echo "create user zabbix; create database zabbix owner zabbix;" | sql postgres
chmod 777 "$z/run"
for f in schema images data; do
    gzip -dc /usr/share/zabbix-server-pgsql/$f.sql.gz | as psql -q -U zabbix -h "$z/run" -d zabbix >/dev/null 2>>"$z/sql.log" ||
        fail "the schema: $(tail -n 3 "$z/sql.log")"
done
cat >"$z/etc/server.conf" <<CONF
DBHost=$z/run
DBName=zabbix
DBUser=zabbix
AllowRoot=1
LogFile=$z/server.log
PidFile=$z/server.pid
SocketDir=$z
StartPollers=4
CacheUpdateFrequency=2
Timeout=5
CONF
cat >"$z/etc/zabbix.conf.php" <<CONF
<?php
\$DB['TYPE'] = 'POSTGRESQL'; \$DB['SERVER'] = '$z/run'; \$DB['PORT'] = '0'; \$DB['DATABASE'] = 'zabbix';
\$DB['USER'] = 'zabbix'; \$DB['PASSWORD'] = ''; \$DB['SCHEMA'] = ''; \$DB['ENCRYPTION'] = false;
\$DB['KEY_FILE'] = ''; \$DB['CERT_FILE'] = ''; \$DB['CA_FILE'] = ''; \$DB['VERIFY_HOST'] = false;
\$DB['CIPHER_LIST'] = ''; \$DB['DOUBLE_IEEE754'] = true;
\$ZBX_SERVER = 'localhost'; \$ZBX_SERVER_PORT = '10051'; \$ZBX_SERVER_NAME = 'test';
\$IMAGE_FORMAT_DEFAULT = IMAGE_FORMAT_PNG;
CONF
start_node 1
MIBS= ip netns exec "$ns" /usr/sbin/zabbix_server -f -c "$z/etc/server.conf" >"$z/server.out" 2>&1 &
ip netns exec "$ns" unshare -m bash -c "mkdir -p /etc/zabbix && mount --bind $z/etc /etc/zabbix &&
    exec php -d post_max_size=16M -d max_input_time=300 -d max_execution_time=300 -d memory_limit=256M -d date.timezone=UTC -S 127.0.0.1:8088 -t /usr/share/zabbix" \
    >"$z/php.log" 2>&1 &

cat >"$z/api.py" <<'PY'
import json, sys, time, urllib.request

token = None


def call(method, params):
    body = {"jsonrpc": "2.0", "method": method, "params": params, "id": 1}
    if token:
        body["auth"] = token
    request = urllib.request.Request("http://127.0.0.1:8088/api_jsonrpc.php", json.dumps(body).encode(),
                                     {"Content-Type": "application/json-rpc"})
    answer = json.load(urllib.request.urlopen(request, timeout=60))
    if "error" in answer:
        raise SystemExit("%s: %s" % (method, answer["error"]))
    return answer["result"]


def wait(what, limit, found):
    end = time.time() + limit
    while time.time() < end:
        if found():
            return
        time.sleep(1)
    raise SystemExit(what)


def up():
    try:
        return call("apiinfo.version", {})
    except OSError:
        return None


def problems():
    return [p["name"] for p in call("problem.get", {"output": ["name"], "recent": False})]


wait("the API does not come up", 60, up)
token = call("user.login", {"user": "Admin", "password": "zabbix"})
if sys.argv[1] == "import":
    rules = {k: {"createMissing": True, "updateExisting": True}
             for k in ("templates", "items", "triggers", "discoveryRules", "graphs", "valueMaps")}
    rules["groups"] = {"createMissing": True, "updateExisting": False}
    assert call("configuration.import", {"format": "yaml", "source": open(sys.argv[2]).read(), "rules": rules})
    template = call("template.get", {"filter": {"host": "Bascule node by SNMP"}})[0]["templateid"]
    call("host.create", {"host": "n1", "groups": [{"groupid": "2"}], "templates": [{"templateid": template}],
                         "interfaces": [{"type": 2, "main": 1, "useip": 1, "ip": "10.88.0.1", "dns": "", "port": "161",
                                         "details": {"version": 3, "bulk": 1, "securityname": "bascule-poller",
                                                     "securitylevel": 2, "authprotocol": 3, "authpassphrase": sys.argv[3],
                                                     "privprotocol": 1, "privpassphrase": sys.argv[3]}}]})
    wait("nothing is discovered: %s" % call("item.get", {"output": ["key_", "error"], "host": "n1"}), 120,
         lambda: any("bascule.service.state[5.114" in i["key_"] and i["lastvalue"] == "1"
                     for i in call("item.get", {"output": ["key_", "lastvalue"], "host": "n1"})))
    items = call("item.get", {"output": ["key_", "state", "error"], "host": "n1"})
    bad = [i for i in items if i["state"] == "1"]
    assert not bad, bad
    print("%d items" % len(items))
elif sys.argv[1] == "problem":
    wait("no problem is raised: %s" % problems(), 90, lambda: any(sys.argv[2] in p for p in problems()))
else:
    wait("the problem does not end: %s" % problems(), 90, lambda: not any(sys.argv[2] in p for p in problems()))
PY
api() { ip netns exec "$ns" /usr/bin/python3 "$z/api.py" "$@" || fail "Zabbix: $1"; }
api import "$top_srcdir/etc/zabbix/bascule-template.yaml" "pass phrase of the poller"
STATE=failed write_state 1
api problem "does not run"
write_state 1
api over "does not run"
pass
