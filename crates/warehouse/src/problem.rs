use hivecast_run::{Class, Fault, Result};

/// Why a table's partition can't be frozen, and whether time may heal it.
#[derive(Debug)]
pub(crate) enum Problem {
    /// The export may still be coming.
    Pending(Fault),
    /// The metastore or a store failed, which says nothing of the export, and may pass.
    Unreachable(Fault),
    /// Waiting does not help.
    Lasting(Fault),
}

impl Problem {
    pub(crate) fn fault(&self) -> &Fault {
        match self {
            Problem::Pending(fault) | Problem::Unreachable(fault) | Problem::Lasting(fault) => fault,
        }
    }

    /// Says first of which of the feed's tables it is: stores and metastores know none of them.
    pub(crate) fn of_table(self, name: &str) -> Problem {
        let subject = format!("table {name}");
        match self {
            Problem::Pending(fault) => Problem::Pending(fault.about(&subject)),
            Problem::Unreachable(fault) => Problem::Unreachable(fault.about(&subject)),
            Problem::Lasting(fault) => Problem::Lasting(fault.about(&subject)),
        }
    }

    pub(crate) fn into_fault(self) -> Fault {
        match self {
            Problem::Pending(fault) | Problem::Unreachable(fault) | Problem::Lasting(fault) => fault,
        }
    }

    /// What is advised of an export that may still be coming is for who asks to say: not everybody can wait,
    /// and some have.
    pub(crate) fn advise_pending(self, advise: impl Fn(Fault) -> Fault) -> Problem {
        match self {
            Problem::Pending(fault) => Problem::Pending(advise(fault)),
            other => other,
        }
    }

    /// Whether nothing but time is needed.
    pub(crate) fn is_pending(&self) -> bool {
        matches!(self, Problem::Pending(_) | Problem::Unreachable(_))
    }

    /// Why the export is not whole yet; anything else is a failure.
    pub(crate) fn into_not_ready(self) -> Result<Fault> {
        match self {
            Problem::Pending(fault) => Ok(fault),
            Problem::Unreachable(fault) | Problem::Lasting(fault) => Err(fault),
        }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        match fault.class() {
            Class::Infrastructure => Problem::Unreachable(fault),
            _ => Problem::Lasting(fault),
        }
    }
}

/// One fault that tells every table's problem, of the worst class among them: a feed mistake before
/// unfit data before denied access before what may pass by itself.
pub(crate) fn combine(mut problems: Vec<Problem>, date: &str) -> Option<Fault> {
    if problems.len() < 2 {
        return problems.pop().map(Problem::into_fault);
    }
    let faults: Vec<Fault> = problems.into_iter().map(Problem::into_fault).collect();
    let class = faults.iter().map(Fault::class).min_by_key(|class| severity(*class))?;
    let mut advice: Vec<&str> = Vec::new();
    for text in faults.iter().filter_map(Fault::advice) {
        if !advice.contains(&text) {
            advice.push(text);
        }
    }
    let advice = advice.join("; ");
    let fault = Fault::new(class, format!("{} tables can't be read for {date}", faults.len()))
        .because(told_together(&faults));
    Some(if advice.is_empty() { fault } else { fault.advise(advice) })
}

/// Every fault in one line; a cause that several share is told once, after them.
fn told_together(faults: &[Fault]) -> String {
    let mut by_cause: Vec<(String, Vec<String>)> = Vec::new();
    for fault in faults {
        let (what, chain) = (fault.to_string(), fault.chain());
        let cause = chain.strip_prefix(&what).unwrap_or_default().trim_start_matches(": ").to_owned();
        match by_cause.iter_mut().find(|(known, _)| *known == cause) {
            Some((_, whats)) => whats.push(what),
            None => by_cause.push((cause, vec![what])),
        }
    }
    let told = by_cause.into_iter().map(|(cause, whats)| match cause.as_str() {
        "" => whats.join("; "),
        cause => format!("{}: {cause}", whats.join("; ")),
    });
    told.collect::<Vec<_>>().join("; ")
}

/// Smallest is worst.
fn severity(class: Class) -> u8 {
    match class {
        Class::Interrupted => 0,
        Class::Bug => 1,
        Class::Usage => 2,
        Class::Data => 3,
        Class::Denied => 4,
        Class::Infrastructure => 5,
        Class::Held => 6,
        Class::Conflict => 7,
    }
}
