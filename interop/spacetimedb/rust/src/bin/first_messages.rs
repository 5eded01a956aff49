//! Prints the first messages of a server as SpacetimeDB's own crate writes them: a
//! JSON list for spacetime/testdata/first-messages.json.

use serde_json::json;
use spacetimedb_client_api_messages::websocket::{common::SERVER_MSG_COMPRESSION_TAG_NONE, v1, v2, v3};
use spacetimedb_lib::{ConnectionId, Identity, bsatn};
use spacetimedb_sats::ser::serde::SerializeWrapper;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// A frame is a byte for the compression, and the message.
fn frame(message: Vec<u8>) -> String {
    hex(&[&[SERVER_MSG_COMPRESSION_TAG_NONE], &message[..]].concat())
}

fn main() {
    let mut rows = Vec::new();
    for (issuer, subject, id, token) in [
        ("localhost", "6d4b5430-00cf-4a99-932c-ad2d07bab841", "100f0e0d0c0b0a090807060504030201", "the-long-token"),
        ("https://issuer.example", "alice", "0102030405060708090a0b0c0d0e0f10", "abc.def.ghi"),
        ("https://issuer.example", "alice", "00000000000000000000000000000001", ""),
        ("https://issuer.example", "bob", "ffffffffffffffffffffffffffffffff", "x".repeat(300).as_str()),
    ] {
        let identity = Identity::from_claims(issuer, subject);
        let connection_id = ConnectionId::from_hex(id).unwrap();
        let v1 = || v1::IdentityToken { identity, token: token.into(), connection_id };
        let text: v1::ServerMessage<v1::JsonFormat> = v1::ServerMessage::IdentityToken(v1());
        let binary: v1::ServerMessage<v1::BsatnFormat> = v1::ServerMessage::IdentityToken(v1());
        let v2 = v2::ServerMessage::InitialConnection(v2::InitialConnection { identity, connection_id, token: token.into() });
        let v2 = frame(bsatn::to_vec(&v2).unwrap());
        rows.push(json!({
            "issuer": issuer, "subject": subject, "identity": identity.to_hex().to_string(), "connection_id": id, "token": token,
            v1::TEXT_PROTOCOL: hex(&serde_json::to_vec(SerializeWrapper::from_ref(&text)).unwrap()),
            v1::BIN_PROTOCOL: frame(bsatn::to_vec(&binary).unwrap()),
            v2::BIN_PROTOCOL: v2,
            v3::BIN_PROTOCOL: v2, // one message or several; here one
        }));
    }
    println!("{}", serde_json::to_string_pretty(&rows).unwrap());
}
