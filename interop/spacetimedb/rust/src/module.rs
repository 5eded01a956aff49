//! What generated bindings would say of a module without tables and reducers.

use spacetimedb_sdk::__codegen::{self as sdk, __ws as ws};

#[derive(Debug)]
pub struct Module;

macro_rules! in_module {
    ($($name:ident),*) => { $(
        impl sdk::InModule for $name { type Module = Module; }
    )* };
}

#[derive(Debug, Default)]
pub struct Nothing;

#[derive(Debug, Clone)]
pub enum Reducer {}

#[derive(Clone)]
pub struct Subscription(sdk::SubscriptionHandleImpl<Module>);

pub struct Connection(pub sdk::DbContextImpl<Module>);

in_module!(Nothing, Reducer, Subscription, Connection);

impl sdk::DbConnection for Connection {
    fn new(imp: sdk::DbContextImpl<Module>) -> Self { Connection(imp) }
}

// A context for each kind of callback: they differ in the event alone.
macro_rules! context {
    ($name:ident, $event:ty) => {
        pub struct $name { event: $event, _imp: sdk::DbContextImpl<Module> }
        in_module!($name);
        impl sdk::AbstractEventContext for $name {
            type Event = $event;
            fn event(&self) -> &Self::Event { &self.event }
            fn new(imp: sdk::DbContextImpl<Module>, event: Self::Event) -> Self { $name { event, _imp: imp } }
        }
    };
}

context!(RowContext, sdk::Event<Reducer>);
context!(ReducerContext, sdk::ReducerEvent<Reducer>);
context!(ProcedureContext, ());
context!(SubscriptionContext, ());
context!(FailureContext, Option<sdk::Error>);

impl sdk::EventContext for RowContext {}
impl sdk::ReducerEventContext for ReducerContext {}
impl sdk::ProcedureEventContext for ProcedureContext {}
impl sdk::SubscriptionEventContext for SubscriptionContext {}
impl sdk::ErrorContext for FailureContext {}

impl sdk::Reducer for Reducer {
    fn reducer_name(&self) -> &'static str { match *self {} }
    fn args_bsatn(&self) -> Result<Vec<u8>, sdk::__sats::bsatn::EncodeError> { match *self {} }
}

impl TryFrom<ws::v2::TransactionUpdate> for Nothing {
    type Error = sdk::Error;
    fn try_from(_: ws::v2::TransactionUpdate) -> sdk::Result<Self> { Ok(Nothing) }
}

impl sdk::DbUpdate for Nothing {
    fn apply_to_client_cache(&self, _: &mut sdk::ClientCache<Module>) -> Nothing { Nothing }
    fn parse_initial_rows(_: ws::v2::QueryRows) -> sdk::Result<Self> { Ok(Nothing) }
    fn parse_unsubscribe_rows(_: ws::v2::QueryRows) -> sdk::Result<Self> { Ok(Nothing) }
}

impl sdk::AppliedDiff<'_> for Nothing {
    fn invoke_row_callbacks(&self, _: &RowContext, _: &mut sdk::DbCallbacks<Module>) {}
}

impl sdk::SubscriptionHandle for Subscription {
    fn new(imp: sdk::SubscriptionHandleImpl<Module>) -> Self { Subscription(imp) }
    fn is_ended(&self) -> bool { self.0.is_ended() }
    fn is_active(&self) -> bool { self.0.is_active() }
    fn unsubscribe_then(self, end: sdk::OnEndedCallback<Module>) -> sdk::Result<()> { self.0.unsubscribe_then(Some(end)) }
    fn unsubscribe(self) -> sdk::Result<()> { self.0.unsubscribe_then(None) }
}

impl sdk::SpacetimeModule for Module {
    type DbConnection = Connection;
    type EventContext = RowContext;
    type ReducerEventContext = ReducerContext;
    type ProcedureEventContext = ProcedureContext;
    type SubscriptionEventContext = SubscriptionContext;
    type ErrorContext = FailureContext;
    type Reducer = Reducer;
    type DbView = Nothing;
    type Reducers = Nothing;
    type Procedures = Nothing;
    type DbUpdate = Nothing;
    type AppliedDiff<'r> = Nothing;
    type SubscriptionHandle = Subscription;
    type QueryBuilder = sdk::QueryBuilder;

    fn register_tables(_: &mut sdk::ClientCache<Self>) {}
    const ALL_TABLE_NAMES: &'static [&'static str] = &[];
}
