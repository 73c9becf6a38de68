#!/bin/bash
# A Connect worker attached to LAB_CLUSTER and its MirrorMaker 2 connectors from LAB_SOURCE; the same settings as
# tests/lab/src/{connect,mirror}.rs.
set -euo pipefail
target="$LAB_CLUSTER" source="$LAB_SOURCE"
direction="${source#eu-}-to-${target#eu-}"
principal="mm2-$direction"

login() { # user
  echo "security.protocol=SASL_PLAINTEXT"
  echo "sasl.mechanism=SCRAM-SHA-512"
  echo "sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username=\"$1\" password=\"$1-demo\";"
}

{
  cat <<PROPERTIES
bootstrap.servers=$target:9092
group.id=connect-$target
listeners=http://:8083
config.storage.topic=connect-configs
offset.storage.topic=connect-offsets
status.storage.topic=connect-status
config.storage.replication.factor=1
offset.storage.replication.factor=1
status.storage.replication.factor=1
offset.storage.partitions=1
status.storage.partitions=1
key.converter=org.apache.kafka.connect.converters.ByteArrayConverter
value.converter=org.apache.kafka.connect.converters.ByteArrayConverter
header.converter=org.apache.kafka.connect.converters.ByteArrayConverter
offset.flush.interval.ms=1000
connector.client.config.override.policy=All
exactly.once.source.support=enabled
scheduled.rebalance.max.delay.ms=0
plugin.discovery=service_load
PROPERTIES
  for prefix in '' producer. consumer. admin.; do login connect | sed "s/^/$prefix/"; done
} >/tmp/connect.properties

# Property lines become the fields of a JSON object.
as_json() { sed 's/\\/\\\\/g; s/"/\\"/g; s/^\([^=]*\)=\(.*\)$/"\1": "\2"/' | paste -sd, -; }

connector() { # pair, kind, class, policy, lines of its own
  local state=STOPPED
  [[ "$LAB_RUNNING" == true ]] && state=RUNNING
  local config
  config="$({
    echo "connector.class=org.apache.kafka.connect.mirror.$3"
    echo "replication.policy.class=org.apache.kafka.connect.mirror.$4"
    printf '%s=1\n' tasks.max replication.factor offset-syncs.topic.replication.factor \
      checkpoints.topic.replication.factor heartbeats.topic.replication.factor
    printf '%s.converter=org.apache.kafka.connect.converters.ByteArrayConverter\n' key value header
    echo "source.cluster.alias=$source"
    echo "target.cluster.alias=$target"
    echo "source.cluster.bootstrap.servers=$source:9092"
    echo "target.cluster.bootstrap.servers=$target:9092"
    echo "admin.timeout.ms=8000"
    echo "source.admin.default.api.timeout.ms=8000"
    echo "source.admin.request.timeout.ms=5000"
    for prefix in source.cluster. target.cluster. producer.override. consumer.override. admin.override.; do
      login "$principal" | sed "s/^/$prefix/"
    done
    cat
  } | as_json)"
  # A worker that rebalances answers 409, and so it does to a name that is there already.
  until exists "$1-$direction-$2" || wget -q -O /dev/null --header 'Content-Type: application/json' http://localhost:8083/connectors \
    --post-data "{\"name\": \"$1-$direction-$2\", \"initial_state\": \"$state\", \"config\": {$config}}"; do
    sleep 1
  done
}

exists() { wget -q -O /dev/null "http://localhost:8083/connectors/$1"; }

pair() { # name, policy, topics
  printf '%s\n' "topics=$3" offset-syncs.topic.location=target exactly.once.support=required \
    source.consumer.isolation.level=read_committed refresh.topics.interval.seconds=3 \
    sync.topic.configs.interval.seconds=10 sync.topic.acls.interval.seconds=10 heartbeats.replication.enabled=false |
    connector "$1" source MirrorSourceConnector "$2"
  printf '%s\n' "topics=$3" 'groups=.*' offset-syncs.topic.location=target emit.checkpoints.interval.seconds=2 \
    sync.group.offsets.enabled=true sync.group.offsets.interval.seconds=2 refresh.groups.interval.seconds=2 |
    connector "$1" checkpoint MirrorCheckpointConnector "$2"
  echo emit.heartbeats.interval.seconds=1 | connector "$1" heartbeat MirrorHeartbeatConnector "$2"
}

furnish() {
  until wget -q -O /dev/null http://localhost:8083/connectors; do sleep 1; done
  pair orders IdentityReplicationPolicy 'orders\..*,payments\..*,muster\.canary\.orders'
  pair clicks DefaultReplicationPolicy 'clicks\..*,muster\.canary\.clicks'
}
furnish &
exec /opt/kafka/bin/connect-distributed.sh /tmp/connect.properties
