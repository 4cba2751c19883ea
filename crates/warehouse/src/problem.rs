use hivecast_run::{Class, Fault};

/// Why a table's partition can't be frozen, and whether time may heal it.
#[derive(Debug)]
pub(crate) enum Problem {
    /// The export may still be coming.
    Pending(Fault),
    /// Waiting does not help.
    Lasting(Fault),
}

impl Problem {
    pub(crate) fn fault(&self) -> &Fault {
        match self {
            Problem::Pending(fault) | Problem::Lasting(fault) => fault,
        }
    }

    pub(crate) fn into_fault(self) -> Fault {
        match self {
            Problem::Pending(fault) | Problem::Lasting(fault) => fault,
        }
    }

    pub(crate) fn is_pending(&self) -> bool {
        matches!(self, Problem::Pending(_))
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        match fault.class() {
            Class::Infrastructure => Problem::Pending(fault),
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
    let causes: Vec<String> = faults.iter().map(Fault::chain).collect();
    let fault = Fault::new(class, format!("{} tables can't be read for {date}", faults.len()))
        .because(causes.join("; "));
    Some(if advice.is_empty() { fault } else { fault.advise(advice) })
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
