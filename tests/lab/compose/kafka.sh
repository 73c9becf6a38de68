#!/bin/bash
# One one-node KRaft cluster inside its container; the same settings and rights as tests/lab/src/{broker,principals}.rs.
set -euo pipefail
name="$LAB_CLUSTER"
kafka=/opt/kafka/bin
users="admin muster muster-probe connect app-orders app-billing mm2-west-to-central mm2-central-to-west"
scram="org.apache.kafka.common.security.scram.ScramLoginModule required"

cat >/tmp/server.properties <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=localhost:9093
controller.listener.names=CONTROLLER
listeners=SASL_PLAINTEXT://:9092,CONTROLLER://localhost:9093
advertised.listeners=SASL_PLAINTEXT://$name:9092,CONTROLLER://localhost:9093
inter.broker.listener.name=SASL_PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config=$scram username="admin" password="admin-demo";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:admin;User:muster;User:ANONYMOUS
log.dirs=/tmp/data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
PROPERTIES
cat >/tmp/admin.properties.draft <<PROPERTIES
security.protocol=SASL_PLAINTEXT
sasl.mechanism=SCRAM-SHA-512
sasl.jaas.config=$scram username="admin" password="admin-demo";
PROPERTIES

if [[ ! -e /tmp/data/meta.properties ]]; then
  credentials=()
  for user in $users; do
    credentials+=(--add-scram "SCRAM-SHA-512=[name=$user,password=$user-demo]")
  done
  "$kafka/kafka-storage.sh" format --standalone --cluster-id "$("$kafka/kafka-storage.sh" random-uuid)" \
    --config /tmp/server.properties "${credentials[@]}"
fi

acl() { "$kafka/kafka-acls.sh" --bootstrap-server localhost:9092 --command-config /tmp/admin.properties.draft --add --force "$@"; }
topic() { "$kafka/kafka-topics.sh" --bootstrap-server localhost:9092 --command-config /tmp/admin.properties.draft --create --if-not-exists --replication-factor 1 --topic "$@"; }

furnish() {
  until topic orders.placed --partitions 3; do sleep 1; done
  topic orders.shipped --partitions 2
  topic payments.captured --partitions 2
  topic clicks.page --partitions 3
  topic muster.canary.orders --partitions 1
  topic muster.canary.clicks --partitions 1
  local reads=mm2-west-to-central writes=mm2-central-to-west
  if [[ "$name" == eu-central ]]; then reads=mm2-central-to-west writes=mm2-west-to-central; fi
  acl --allow-principal "User:$reads" --topic '*' --operation Read --operation Describe --operation DescribeConfigs
  acl --allow-principal "User:$reads" --group '*' --operation Describe
  acl --allow-principal "User:$reads" --cluster --operation Describe
  acl --allow-principal "User:$writes" --topic '*' --operation Read --operation Write --operation Create --operation Describe \
    --operation Alter --operation AlterConfigs --operation DescribeConfigs
  acl --allow-principal "User:$writes" --group '*' --operation Read --operation Describe
  acl --allow-principal "User:$writes" --cluster --operation Describe --operation Alter
  acl --allow-principal "User:$writes" --resource-pattern-type prefixed --transactional-id connect- --operation Write --operation Describe
  acl --allow-principal User:connect --operation All --resource-pattern-type prefixed --topic connect- --group connect- --transactional-id connect-
  for prefix in orders. payments. clicks.; do
    acl --allow-principal User:muster-probe --operation Write --operation Describe --resource-pattern-type prefixed --topic "$prefix"
    acl --allow-principal User:app-billing --operation Read --resource-pattern-type prefixed --topic "$prefix"
    acl --allow-principal User:app-orders --operation Describe --resource-pattern-type prefixed --topic "$prefix"
    # Applications may write on the active side only.
    if [[ "$name" == eu-west ]]; then
      acl --allow-principal User:app-orders --operation Write --resource-pattern-type prefixed --topic "$prefix"
    fi
  done
  for prefix in eu-west.clicks. eu-central.clicks.; do
    acl --allow-principal User:app-billing --operation Read --resource-pattern-type prefixed --topic "$prefix"
  done
  acl --allow-principal User:muster-probe --operation Write --resource-pattern-type prefixed --topic muster.canary.
  acl --allow-principal User:app-orders --operation Write --resource-pattern-type prefixed --transactional-id payments-
  for group in billing shipping fraud audit-log; do
    acl --allow-principal User:app-billing --operation Read --group "$group"
  done
  # The health check looks for this file: healthy means furnished.
  mv /tmp/admin.properties.draft /tmp/admin.properties
}
furnish &
exec "$kafka/kafka-server-start.sh" /tmp/server.properties
