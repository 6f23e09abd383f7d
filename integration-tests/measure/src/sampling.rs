//! Taking samples: one measurement of a class chosen by lot after the other, so that whatever else the machine does falls
//! on all classes alike.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crypto::random::{Random, RandomError};
use rustix::time::{ClockId, clock_gettime};

/// What is measured.
pub trait Subject {
    /// The names of the classes of inputs; with the first, all others are compared.
    fn classes(&self) -> Vec<&'static str>;

    /// Makes everything ready for one input of a class. It takes no part in the time; what it leaves in the caches must
    /// not depend on the class, so inputs of all classes come from pools of one size.
    fn prepare(&mut self, class: usize, lot: usize);

    /// What is timed.
    fn run(&mut self);
}

/// Which time is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// That of the wall, which costs least to read: for what takes microseconds.
    Wall,
    /// That of the processor in this thread: what other programs take does not count, which on a busy machine would
    /// fall into most measurements of what takes longer.
    Processor,
}

impl Clock {
    /// Nanoseconds since some time.
    fn now(self, start: Instant) -> f64 {
        match self {
            Self::Wall => start.elapsed().as_nanos() as f64,
            Self::Processor => {
                let time = clock_gettime(ClockId::ThreadCPUTime);
                time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
            }
        }
    }
}

/// The times of each class, in nanoseconds: about `samples` of each.
pub fn sample(subject: &mut dyn Subject, samples: usize, seed: u64, clock: Clock) -> Vec<Vec<f64>> {
    let begin = Instant::now();
    let count = subject.classes().len();
    let mut times = vec![Vec::with_capacity(samples + samples / 8); count];
    let mut order = Order::new(seed);
    let warm_up = (samples / 20).max(10);
    for number in 0..samples * count + warm_up {
        let class = order.below(count);
        subject.prepare(class, order.below(POOL));
        let start = clock.now(begin);
        subject.run();
        let time = clock.now(begin) - start;
        if number >= warm_up
            && let Some(times) = times.get_mut(class)
        {
            times.push(time);
        }
    }
    times
}

/// How many inputs there are of each class.
pub const POOL: usize = 128;

/// So many inputs of each class.
pub fn pools<T>(classes: usize, mut make: impl FnMut(usize) -> T) -> Vec<Vec<T>> {
    (0..classes).map(|class| (0..POOL).map(|_| make(class)).collect()).collect()
}

/// One input of a pool.
pub fn from_pool<T>(pools: &[Vec<T>], class: usize, lot: usize) -> Option<&T> {
    pools.get(class)?.get(lot)
}

/// Numbers that look random and cost nothing (SplitMix64).
#[derive(Clone, Debug)]
pub struct Order(u64);

impl Order {
    /// The same numbers for the same seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// One below `end`.
    #[expect(clippy::cast_possible_truncation, reason = "the remainder is below a usize")]
    pub const fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// One from 0 to 1.
    pub const fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The same as a source for the library: a call of the system in what is timed would only add to the noise.
#[derive(Debug, Default)]
pub struct Cheap(AtomicU64);

impl Random for Cheap {
    fn fill(&self, out: &mut [u8]) -> Result<(), RandomError> {
        for chunk in out.chunks_mut(8) {
            let number = mix(self.0.fetch_add(GOLDEN, Ordering::Relaxed)).to_ne_bytes();
            chunk.iter_mut().zip(number).for_each(|(to, byte)| *to = byte);
        }
        Ok(())
    }
}

impl Cheap {
    /// So many bytes.
    #[must_use]
    pub fn bytes(&self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        // It does not fail.
        let _ = self.fill(&mut bytes);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting {
        prepared: Vec<usize>,
        run: usize,
    }

    impl Subject for Counting {
        fn classes(&self) -> Vec<&'static str> {
            vec!["one", "two", "three"]
        }

        fn prepare(&mut self, class: usize, lot: usize) {
            assert!(lot < POOL);
            self.prepared.push(class);
        }

        fn run(&mut self) {
            self.run += 1;
        }
    }

    #[test]
    fn every_class_has_its_turn_and_none_a_pattern() {
        let mut subject = Counting { prepared: Vec::new(), run: 0 };
        let times = sample(&mut subject, 3000, 7, Clock::Wall);
        assert_eq!(subject.run, subject.prepared.len());
        assert_eq!(times.iter().map(Vec::len).sum::<usize>(), 9000);
        for (class, times) in times.iter().enumerate() {
            assert!(times.len().abs_diff(3000) < 250);
            let after: Vec<usize> =
                subject.prepared.windows(2).filter(|pair| pair[0] == class).map(|pair| pair[1]).collect();
            for next in 0..3 {
                let share = after.iter().filter(|&&class| class == next).count() * 3;
                assert!(share.abs_diff(after.len()) < 450, "{next} after {class}: {share}");
            }
        }
    }

    #[test]
    fn uniform_numbers_are_from_0_to_1() {
        let mut order = Order::new(5);
        let numbers: Vec<f64> = (0..10_000).map(|_| order.uniform()).collect();
        assert!(numbers.iter().all(|number| (0.0..1.0).contains(number)));
        assert!((numbers.iter().sum::<f64>() / 10_000.0 - 0.5).abs() < 0.02);
    }
}
