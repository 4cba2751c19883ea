//! What a target that stands in front of another one hands on.

/// Inside `impl Target for …`: these methods are those of the target in `self.inner`. Naming them, rather
/// than leaving a method to the trait's default, keeps who stands in front from answering for who is behind.
#[macro_export]
macro_rules! forward_to_inner {
    ($($method:ident),+ $(,)?) => { $($crate::forward_to_inner!(@ $method);)+ };
    (@ name) => {
        fn name(&self) -> String {
            self.inner.name()
        }
    };
    (@ preflight) => {
        fn preflight(
            &self,
            topic: &hivecast_publish::TopicSpec,
            context: &hivecast_run::Context<'_>,
        ) -> hivecast_run::Result<hivecast_publish::TargetLimits> {
            self.inner.preflight(topic, context)
        }
    };
    (@ check_free) => {
        fn check_free(&self, feed: &str, slot: hivecast_publish::Slot) -> hivecast_run::Result<()> {
            self.inner.check_free(feed, slot)
        }
    };
    (@ compacts) => {
        fn compacts(&self) -> bool {
            self.inner.compacts()
        }
    };
    (@ probe) => {
        fn probe(
            &self,
            topic: &hivecast_publish::TopicSpec,
            context: &hivecast_run::Context<'_>,
        ) -> Vec<hivecast_publish::Probe> {
            self.inner.probe(topic, context)
        }
    };
    (@ open) => {
        fn open<'s>(
            &'s self,
            topic: &hivecast_publish::TopicSpec,
            slot: hivecast_publish::Slot,
            context: &hivecast_run::Context<'s>,
        ) -> hivecast_run::Result<Box<dyn hivecast_publish::Session + 's>> {
            self.inner.open(topic, slot, context)
        }
    };
    (@ fence) => {
        fn fence(
            &self,
            topic: &hivecast_publish::TopicSpec,
            slot: hivecast_publish::Slot,
            context: &hivecast_run::Context<'_>,
        ) -> hivecast_run::Result<()> {
            self.inner.fence(topic, slot, context)
        }
    };
    (@ ledger) => {
        fn ledger(
            &self,
            feed: &str,
            view: hivecast_publish::View,
            context: &hivecast_run::Context<'_>,
        ) -> hivecast_run::Result<hivecast_publish::Ledger> {
            self.inner.ledger(feed, view, context)
        }
    };
    (@ read) => {
        fn read(
            &self,
            topic: &str,
            partition: u32,
            from: i64,
            to: i64,
            context: &hivecast_run::Context<'_>,
            each: &mut dyn FnMut(hivecast_publish::Record<'_>) -> hivecast_run::Result<()>,
        ) -> hivecast_run::Result<()> {
            self.inner.read(topic, partition, from, to, context, each)
        }
    };
}
