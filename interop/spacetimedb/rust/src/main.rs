//! Connects with the published SpacetimeDB client for Rust and prints what its
//! callbacks are told, a JSON object a line, until the connection ends or standard
//! input does. The server's address is the first argument; a token comes in the
//! environment variable TOKEN.

mod module;

use serde_json::{Value, json};
use spacetimedb_sdk::DbConnectionBuilder;
use std::io::Read;

fn say(event: Value) {
    println!("{event}");
}

fn main() {
    let token = std::env::var("TOKEN").ok().filter(|token| !token.is_empty());
    let built = DbConnectionBuilder::<module::Module>::new()
        .with_uri(std::env::args().nth(1).expect("the server's address"))
        .with_database_name("chat")
        .with_token(token)
        .on_connect(|connection, identity, token| {
            let id = connection.0.connection_id();
            say(json!({"event": "connect", "identity": identity.to_hex().to_string(), "connection": id.to_hex().to_string(), "token": token}));
        })
        .on_connect_error(|_, error| say(json!({"event": "refused", "message": error.to_string()})))
        .on_disconnect(|_, error| {
            say(json!({"event": "disconnect", "message": error.map(|e| e.to_string()).unwrap_or_default()}));
            std::process::exit(0);
        })
        .build();
    let connection: module::Connection = match built {
        Ok(connection) => connection,
        Err(error) => {
            let mut text = error.to_string();
            let mut cause = std::error::Error::source(&error);
            while let Some(error) = cause {
                text = format!("{text}: {error}");
                cause = error.source();
            }
            say(json!({"event": "refused", "message": text}));
            return;
        }
    };
    connection.0.run_threaded();
    std::io::stdin().read_to_end(&mut Vec::new()).ok();
    connection.0.disconnect().ok();
    std::thread::sleep(std::time::Duration::from_secs(5)); // on_disconnect ends the process
}
