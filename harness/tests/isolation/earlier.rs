//! What a worker had run before its last trace: made again from numbers, by either engine.

use crate::{LINGERING, registry};
use libtest_mimic::Failed;
use memtwin::engines::Engine;
use memtwin::isolate::{Batch, BatchEnd, Isolation};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// One worker after the other ends at a failure that needs thousands of reads, and the next goes on with what was kept.
pub(super) fn what_a_worker_ran_is_made_again() -> Result<(), Failed> {
    let target = registry().index_of("guest_memory", LINGERING.subject()).ok_or("not in the registry")?;
    let mut isolation = Isolation::start(Arc::new(AtomicBool::new(false)))?;
    for engine in [Engine::Guided, Engine::Random] {
        let mut batch = Batch {
            target,
            stream: 7,
            first_trace: 0,
            ops_budget: u64::MAX,
            deadline_nanoseconds: u64::MAX,
            strict: false,
            engine,
        };
        isolation.clear_counts();
        isolation.set_kept(&[]);
        for _ in 0..12 {
            let ended = isolation.run_batch(&batch)?;
            let BatchEnd::Failed { trace, wire, .. } = ended else { return Err(format!("{ended:?}").into()) };
            // Most of the last ones are mutants, made of what was kept before them: where they are the same, that was.
            let before = isolation.traces_before(LINGERING, &batch, trace, &wire);
            assert_eq!(before.len() as u64, trace - batch.first_trace, "{engine}");
            if engine == Engine::Random {
                let mut drawn = Vec::new();
                let mut traces = LINGERING.traces();
                for (index, made) in (batch.first_trace..).zip(&before) {
                    traces.write(batch.stream, index, &mut drawn);
                    assert_eq!(*made, drawn, "trace {index}");
                }
            }
            assert!(isolation.traces_before(LINGERING, &batch, trace, b"another").is_empty());
            assert!(isolation.traces_before(LINGERING, &batch, u64::MAX, &wire).is_empty());
            batch.first_trace = trace + 1;
        }
    }
    Ok(())
}
