//! Calls of Spark Connect's service, one after another over one connection.

use std::time::Duration;

use http::uri::PathAndQuery;
use prost::Message;
use tonic::client::Grpc;
use tonic::transport::{Channel, ClientTlsConfig};
use tonic::{Request, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::endpoint::{Endpoint, Security};

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// After so long without a word the connection is asked whether it lives, and has so long to answer.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// Most bytes of a message, as Spark's own clients have it.
const MESSAGE_BYTES_MAX: usize = 128 << 20;

/// A connection to a server, made when it is first used.
#[derive(Clone)]
pub(crate) struct Client {
    channel: Channel,
    /// The header that holds the token.
    authorization: Option<tonic::metadata::MetadataValue<tonic::metadata::Ascii>>,
}

impl Client {
    /// Fails where the endpoint or the token can't be written into a request.
    pub(crate) fn new(endpoint: &Endpoint) -> Result<Client, String> {
        let scheme = match endpoint.security {
            Security::Plain => "http",
            Security::Tls => "https",
        };
        let mut channel = Channel::from_shared(format!("{scheme}://{}", endpoint.authority()))
            .map_err(|error| error.to_string())?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
            .keep_alive_while_idle(true);
        if endpoint.security == Security::Tls {
            // The machine's own certificates; `SSL_CERT_FILE` names others.
            let tls = ClientTlsConfig::new().with_native_roots();
            channel = channel.tls_config(tls).map_err(|error| told(&error))?;
        }
        let authorization = endpoint.token.as_ref().map(|token| format!("Bearer {token}").parse());
        let mut authorization = authorization
            .transpose()
            .map_err(|_| "the token holds a character that no header may hold".to_owned())?;
        if let Some(value) = &mut authorization {
            tonic::metadata::MetadataValue::set_sensitive(value, true);
        }
        Ok(Client { channel: channel.connect_lazy(), authorization })
    }

    /// One question, one answer.
    pub(crate) async fn ask<Q, A>(&self, method: &'static str, question: Q) -> Result<A, Status>
    where
        Q: Message + Send + Sync + 'static,
        A: Message + Default + Send + Sync + 'static,
    {
        let mut grpc = self.ready().await?;
        let codec: ProstCodec<Q, A> = ProstCodec::default();
        Ok(grpc.unary(self.request(question), PathAndQuery::from_static(method), codec).await?.into_inner())
    }

    /// One question, a stream of answers.
    pub(crate) async fn stream<Q, A>(&self, method: &'static str, question: Q) -> Result<Streaming<A>, Status>
    where
        Q: Message + Send + Sync + 'static,
        A: Message + Default + Send + Sync + 'static,
    {
        let mut grpc = self.ready().await?;
        let codec: ProstCodec<Q, A> = ProstCodec::default();
        let answers = grpc.server_streaming(self.request(question), PathAndQuery::from_static(method), codec);
        Ok(answers.await?.into_inner())
    }

    async fn ready(&self) -> Result<Grpc<Channel>, Status> {
        let mut grpc = Grpc::new(self.channel.clone())
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        grpc.ready().await.map_err(|error| Status::unavailable(told(&error)))?;
        Ok(grpc)
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(authorization) = &self.authorization {
            request.metadata_mut().insert("authorization", authorization.clone());
        }
        request
    }
}

/// An error with its causes, which say more than it does.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}
