//! Configs of topics, each with its own answer.

use kafka_protocol::{
    messages::{
        DescribeConfigsResponse,
        describe_configs_response::{DescribeConfigsResourceResult, DescribeConfigsResult},
    },
    protocol::StrBytes,
};

use super::*;

#[tokio::test]
async fn a_topic_whose_configs_nobody_may_read_hides_those_of_no_other() {
    let world = World::default().with_topic("t0", &[0]).with_script(|_, request, _| match request {
        RequestKind::DescribeConfigs(asked) => {
            let told = asked.resources.iter().map(|resource| {
                let told = DescribeConfigsResult::default()
                    .with_resource_type(2)
                    .with_resource_name(resource.resource_name.clone());
                if &*resource.resource_name == "secret" {
                    return told.with_error_code(29);
                }
                let config = DescribeConfigsResourceResult::default()
                    .with_name(StrBytes::from_static_str("cleanup.policy"))
                    .with_value(Some(StrBytes::from_static_str("compact")))
                    .with_config_source(1);
                told.with_configs(vec![config])
            });
            let response = DescribeConfigsResponse::default().with_results(told.collect());
            Reply::with(ResponseKind::DescribeConfigs(response))
        }
        _ => Reply::Usual,
    });
    let brokers = Brokers::start(1, world).await;
    let names = ["t0", "secret"].map(str::to_owned);
    let told = brokers.admin().topic_configs(&names).await.unwrap();
    assert_eq!(told["t0"].as_ref().unwrap()["cleanup.policy"].value.as_deref(), Some("compact"));
    assert_eq!(told["secret"].as_ref().unwrap_err().code(), Some(29));
    assert_eq!(told.len(), 2);
}
