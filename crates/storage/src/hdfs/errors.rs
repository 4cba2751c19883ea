//! What HDFS says, as the kinds of errors that every store has.

use std::io::{self, ErrorKind};

use hdfs_native::HdfsError;

use super::connect::Connection;
use crate::Location;
use crate::error::advised;

/// The longest text of a server that is passed on, characters. The rest is its stack.
const MAX_TEXT: usize = 400;

/// The error with its kind, host and path.
pub(super) fn io_error(at: &Location, connection: &Connection, error: &HdfsError) -> io::Error {
    let (kind, text) = told(error);
    let who = if is_login(error) { connection.shown_login() } else { String::new() };
    let help = advice(kind).map(str::to_owned);
    advised(kind, at, format!("{text} ({}{who})", connection.shown()), (None, help))
}

/// What to do, by the kind of the error.
pub(super) fn advice(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::PermissionDenied => Some(
            "have HDFS grant it to the user, or name another with `hadoop.user` in the environment or \
             HADOOP_USER_NAME",
        ),
        ErrorKind::ResourceBusy => {
            Some("run again when the name node has left safe mode (`hdfs dfsadmin -safemode get` tells)")
        }
        ErrorKind::NotConnected
        | ErrorKind::ConnectionRefused
        | ErrorKind::ConnectionReset
        | ErrorKind::TimedOut => Some(
            "see whether the name node runs and is reached from here, or correct its host and port; running again is \
             safe",
        ),
        _ => None,
    }
}

fn told(error: &HdfsError) -> (ErrorKind, String) {
    match error {
        HdfsError::RPCError(class, text) | HdfsError::FatalRPCError(class, text) => of_server(class, text),
        HdfsError::IOError(error) => (error.kind(), error.to_string()),
        HdfsError::FileNotFound(_) => (ErrorKind::NotFound, "there is no such file or directory".to_owned()),
        HdfsError::AlreadyExists(_) => (ErrorKind::AlreadyExists, "it is there already".to_owned()),
        HdfsError::IsADirectoryError(_) => (ErrorKind::IsADirectory, "it is a directory".to_owned()),
        error if is_login(error) => {
            (ErrorKind::PermissionDenied, format!("the login failed: {}", first_line(&error.to_string())))
        }
        HdfsError::OperationFailed(text) if text.contains("libgssapi") => (
            ErrorKind::Other,
            "Kerberos needs MIT's libgssapi_krb5.so.2 (Debian: libgssapi-krb5-2), which can't be loaded"
                .to_owned(),
        ),
        HdfsError::BlocksNotFound(_) => (ErrorKind::Other, "no data node has some of its blocks".to_owned()),
        HdfsError::DataTransferError(text) if text.contains("All DataNodes failed") => {
            let nodes = data_nodes(text);
            (ErrorKind::Other, format!("no data node that has its bytes answers: {nodes}"))
        }
        HdfsError::ChecksumError => (
            ErrorKind::InvalidData,
            "the bytes of every copy have another checksum than HDFS keeps".to_owned(),
        ),
        HdfsError::UnsupportedFeature(text) => (ErrorKind::Unsupported, first_line(text)),
        other => (ErrorKind::Other, first_line(&other.to_string())),
    }
}

fn is_login(error: &HdfsError) -> bool {
    matches!(error, HdfsError::SASLError(_) | HdfsError::GSSAPIError(..) | HdfsError::NoSASLMechanism)
}

fn of_server(class: &str, text: &str) -> (ErrorKind, String) {
    let short = class.rsplit(['.', '$']).next().unwrap_or(class);
    let line = first_line(text);
    let kind = match short {
        _ if is_safe_mode(short, text) => {
            return (ErrorKind::ResourceBusy, format!("the name node is in safe mode: {line}"));
        }
        "AccessControlException"
        | "AuthorizationException"
        | "SaslException"
        | "GSSException"
        | "InvalidToken" => ErrorKind::PermissionDenied,
        "FileNotFoundException" => ErrorKind::NotFound,
        "FileAlreadyExistsException" | "AlreadyBeingCreatedException" => ErrorKind::AlreadyExists,
        "PathIsNotEmptyDirectoryException" => ErrorKind::DirectoryNotEmpty,
        "ParentNotDirectoryException" => ErrorKind::NotADirectory,
        "NSQuotaExceededException" | "DSQuotaExceededException" | "QuotaExceededException" => {
            ErrorKind::QuotaExceeded
        }
        "InvalidPathException" => ErrorKind::InvalidInput,
        // See `Hdfs::put`.
        "NotReplicatedYetException" => ErrorKind::WouldBlock,
        _ => ErrorKind::Other,
    };
    (kind, format!("{short}: {line}"))
}

fn is_safe_mode(class: &str, text: &str) -> bool {
    class == "SafeModeException" || (class == "RetriableException" && text.contains("safe mode"))
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(MAX_TEXT).collect()
}

/// The data nodes' addresses, which the client tells among all else that it knows of them.
fn data_nodes(text: &str) -> String {
    let after = |name: &'static str| {
        text.split(name).skip(1).map(|rest| {
            let value = rest.trim_start_matches(['"', ' ']);
            value.split(['"', ',', ' ']).next().unwrap_or_default()
        })
    };
    let addresses: Vec<String> =
        after("ip_addr: ").zip(after("xfer_port: ")).map(|(host, port)| format!("{host}:{port}")).collect();
    if addresses.is_empty() { "none is known".to_owned() } else { addresses.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_done_is_said_by_kind() {
        let help = |kind| advice(kind).unwrap_or_default();
        assert!(help(ErrorKind::PermissionDenied).contains("`hadoop.user`"));
        assert!(help(ErrorKind::ResourceBusy).contains("safe mode"));
        assert!(help(ErrorKind::TimedOut).contains("name node"));
        assert_eq!(advice(ErrorKind::NotFound), None);
    }

    #[test]
    fn what_servers_say() {
        let of = |class: &str, text: &str| of_server(class, text);
        let (kind, text) = of(
            "org.apache.hadoop.security.AccessControlException",
            "Permission denied: user=bob, access=WRITE, inode=\"/\"\n\tat org.apache.hadoop…",
        );
        assert_eq!(kind, ErrorKind::PermissionDenied);
        assert_eq!(text, "AccessControlException: Permission denied: user=bob, access=WRITE, inode=\"/\"");
        for class in [
            "org.apache.hadoop.hdfs.server.namenode.SafeModeException",
            "org.apache.hadoop.ipc.RetriableException",
        ] {
            let (kind, text) =
                of(class, "Cannot create file/a. Name node is in safe mode.\nThe reported blocks");
            assert_eq!(kind, ErrorKind::ResourceBusy);
            assert!(text.starts_with("the name node is in safe mode"), "{text}");
        }
        let (kind, _) = of("org.apache.hadoop.security.token.SecretManager$InvalidToken", "expired");
        assert_eq!(kind, ErrorKind::PermissionDenied);
    }

    #[test]
    fn a_library_that_is_not_there_is_named_and_no_denied_login() {
        // As the client says it.
        let (kind, text) = told(&HdfsError::OperationFailed("Failed to load libgssapi_krb".to_owned()));
        assert_eq!(kind, ErrorKind::Other);
        assert!(text.contains("libgssapi_krb5.so.2"), "{text}");
        assert_eq!(told(&HdfsError::NoSASLMechanism).0, ErrorKind::PermissionDenied);
    }

    #[test]
    fn data_nodes_are_named_by_their_addresses() {
        let text = "All DataNodes failed: [DatanodeInfoProto { id: DatanodeIdProto { ip_addr: \"10.0.0.7\", host_name: \"d\", \
            datanode_uuid: \"u\", xfer_port: 9866, info_port: 1 } }]";
        assert_eq!(data_nodes(text), "10.0.0.7:9866");
        assert_eq!(data_nodes("All DataNodes failed: []"), "none is known");
    }
}
