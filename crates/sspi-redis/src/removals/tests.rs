use super::*;

const ERA: Era = [1; ERA_LEN];
const OTHER: Era = [2; ERA_LEN];

fn begun() -> Removals {
    let removals = Removals::new(&[]);
    removals.begin(ERA);
    removals
}

#[test]
fn what_was_removed_is_gone_and_all_else_is_good() {
    let removals = begun();
    let made = removals.now().unwrap();
    assert_eq!(made, Made { era: ERA, generation: 0 });
    removals.removed(&[], &[7]);
    assert_eq!(removals.standing(made, &[7]), Standing::Gone);
    assert_eq!(removals.standing(made, &[8]), Standing::Good);
}

#[test]
fn of_an_era_that_is_not_held_nothing_is_known() {
    let removals = begun();
    assert_eq!(removals.standing(Made { era: OTHER, generation: 0 }, &[7]), Standing::Unknown);
    // What is heard of it does not help: there may have been more.
    removals.removed(&[(OTHER, 3)], &[7]);
    assert_eq!(removals.standing(Made { era: OTHER, generation: 3 }, &[8]), Standing::Unknown);
    // Nor does what was known on a connection before.
    let later = Removals::new(&removals.newest());
    assert_eq!(later.standing(Made { era: ERA, generation: 0 }, &[8]), Standing::Unknown);
    assert_eq!(later.now(), None);
}

#[test]
fn an_era_is_taken_over_with_what_was_removed_in_it() {
    let other = begun();
    let made = other.now().unwrap();
    other.removed(&[], &[7]);
    for removals in [Removals::new(&[]), {
        let it = Removals::new(&[]);
        it.begin(OTHER);
        it
    }] {
        removals.take_over(other.known());
        assert_eq!(removals.standing(made, &[7]), Standing::Gone);
        assert_eq!(removals.standing(made, &[8]), Standing::Good);
    }
    let fresh = Removals::new(&[]);
    fresh.take_over(other.known());
    assert_eq!(fresh.now(), Some(made), "it goes on with that era");
}

#[test]
fn a_machine_that_is_behind_goes_on_with_the_newest_generation() {
    let removals = begun();
    assert_eq!(removals.standing(Made { era: ERA, generation: 4 }, &[7]), Standing::Good);
    assert_eq!(removals.now().unwrap().generation, 4);
    removals.removed(&[(ERA, 6)], &[]);
    assert_eq!(removals.now().unwrap().generation, 6);
}

#[test]
fn there_is_a_bound_and_what_is_forgotten_takes_the_sessions_of_its_time_with_it() {
    let removals = begun();
    let first = removals.now().unwrap();
    let most = u32::try_from(MOST_BATCHES * BATCH).unwrap();
    removals.removed(&[], &(0..most).collect::<Vec<_>>());
    assert_eq!(removals.standing(first, &[most]), Standing::Good);
    let later = removals.now().unwrap();
    removals.removed(&[], &[most + 1]);
    assert_eq!(removals.standing(first, &[most]), Standing::Gone);
    assert_eq!(removals.standing(later, &[most]), Standing::Good);
    assert_eq!(removals.standing(removals.now().unwrap(), &[most]), Standing::Good);
    let known: usize = removals.known().batches.iter().map(|(_, marks)| marks.len()).sum();
    assert!(known <= MOST_BATCHES * BATCH, "{known}");
}

#[test]
fn eras_have_a_bound_too_and_the_own_one_stays() {
    let removals = begun();
    for number in 2..=u8::MAX {
        let era = [number; ERA_LEN];
        assert!(removals.take_over(Known {
            held: vec![(era, 0)],
            newest: vec![(era, 0)],
            batches: Vec::new()
        }));
        assert_eq!(removals.standing(Made { era, generation: 0 }, &[0]), Standing::Good);
        removals.removed(&[([number; ERA_LEN], 1)], &[]);
    }
    assert!(removals.newest().len() <= MOST_ERAS && removals.held().len() <= MOST_ERAS);
    assert_eq!(removals.standing(removals.now().unwrap(), &[0]), Standing::Good);
    assert_eq!(removals.now().unwrap().era, ERA);
}

#[test]
fn two_that_come_together_lose_little_of_what_the_larger_one_knew() {
    let other = begun();
    let half = u32::try_from(BATCH / 2).unwrap();
    let most = 15 * half;
    let mut before = Vec::new();
    for marks in 0..15 {
        before.push(other.now().unwrap());
        other.removed(&[], &(marks * half..(marks + 1) * half).collect::<Vec<_>>());
    }
    let removals = Removals::new(&[]);
    removals.begin(OTHER);
    let ours = removals.now().unwrap();
    removals.removed(&[], &(most..most + half).collect::<Vec<_>>());
    assert!(removals.take_over(other.known()));
    assert_eq!(removals.standing(ours, &[u32::MAX]), Standing::Good);
    assert_eq!(removals.standing(ours, &[most]), Standing::Gone);
    for made in &before[2..] {
        assert_eq!(removals.standing(*made, &[u32::MAX]), Standing::Good, "{made:?}");
        assert_eq!(removals.standing(*made, &[0]), Standing::Gone, "{made:?}");
    }
    // The other way round.
    let back = begun();
    back.take_over(removals.known());
    assert_eq!(back.standing(ours, &[u32::MAX]), Standing::Good);
    assert_eq!(back.standing(before[14], &[u32::MAX]), Standing::Good);
}

#[test]
fn who_holds_nothing_or_more_than_can_be_is_not_taken_over() {
    let known = begun().known();
    let fresh = || Removals::new(&[]);
    assert!(!fresh().take_over(Known { held: Vec::new(), ..known.clone() }));
    let batches = vec![(Vec::new(), (0..=BATCH).map(|mark| Mark::try_from(mark).unwrap()).collect())];
    assert!(!fresh().take_over(Known { batches, ..known.clone() }));
    let batches = vec![(Vec::new(), vec![1]); MOST_BATCHES + 1];
    assert!(!fresh().take_over(Known { batches, ..known.clone() }));
    let held = (0..=MOST_ERAS).map(|number| ([u8::try_from(number).unwrap(); ERA_LEN], 0)).collect();
    assert!(!fresh().take_over(Known { held, ..known.clone() }));
    assert!(fresh().take_over(known));
}

/// Numbers that are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

/// A machine, and what was said since it connected and has not been heard yet.
struct Machine {
    removals: Removals,
    unheard: Vec<Said>,
}

enum Said {
    Removed(Generations, Vec<Mark>),
    Known(Known),
}

struct Session {
    made: Made,
    mark: Mark,
    is_removed: bool,
    /// Who has made it or taken it up: nobody else removes it.
    had_by: [bool; MACHINES],
}

const MACHINES: usize = 4;

/// A farm in which anything happens at any time.
struct Farm {
    numbers: Numbers,
    machines: Vec<Machine>,
    sessions: Vec<Session>,
    eras: u8,
    taken_up: usize,
    not_taken_up: usize,
}

impl Farm {
    fn hear(&mut self, machine: usize) {
        let Machine { removals, unheard } = &mut self.machines[machine];
        for said in unheard.drain(..) {
            match said {
                Said::Removed(newest, marks) => removals.removed(&newest, &marks),
                Said::Known(known) => assert!(removals.take_over(known)),
            }
        }
    }

    fn connect(&mut self, machine: usize) {
        let newest = self.machines[machine].removals.newest();
        self.machines[machine] =
            Machine { removals: Removals::with_batches_of(3, &newest), unheard: Vec::new() };
        if self.numbers.below(4) == 0 || !self.ask(machine, None) {
            self.eras += 1;
            self.machines[machine].removals.begin([self.eras; ERA_LEN]);
        }
    }

    fn ask(&mut self, machine: usize, wanted: Option<Era>) -> bool {
        let begin = self.numbers.below(self.machines.len());
        let others = (0..self.machines.len()).map(|at| (begin + at) % self.machines.len());
        let holds = |at: &usize| {
            let held = self.machines[*at].removals.held();
            held.iter().any(|(era, _)| wanted.is_none_or(|wanted| wanted == *era))
        };
        let Some(other) = others.filter(|at| *at != machine).find(holds) else { return false };
        // Before it is asked it has heard what was said before.
        self.hear(other);
        let known = self.machines[other].removals.known();
        // Until the answer is there, more happens.
        for _ in 0..self.numbers.below(3) {
            let (remover, session) = (self.numbers.below(self.machines.len()), self.some_session());
            if remover != machine {
                self.remove(remover, session);
            }
        }
        self.machines[machine].unheard.push(Said::Known(known));
        self.hear(machine);
        true
    }

    fn remove(&mut self, machine: usize, session: usize) {
        if !self.sessions.get(session).is_some_and(|session| session.had_by[machine]) {
            return;
        }
        self.sessions[session].is_removed = true;
        let marks = vec![self.sessions[session].mark];
        self.machines[machine].removals.removed(&[], &marks);
        let newest = self.machines[machine].removals.newest();
        for (at, other) in self.machines.iter_mut().enumerate() {
            if at != machine {
                other.unheard.push(Said::Removed(newest.clone(), marks.clone()));
            }
        }
    }

    /// One who has not had it asks all before how far they are.
    fn clear(&mut self, machine: usize, session: usize) {
        if session < self.sessions.len() {
            let newest: Vec<_> = self.machines.iter().map(|other| other.removals.newest()).collect();
            newest.iter().for_each(|newest| self.machines[machine].removals.removed(newest, &[]));
            self.sessions[session].had_by[machine] = true;
            self.remove(machine, session);
        }
    }

    fn look_up(&mut self, machine: usize, session: usize) {
        // The answer to a lookup comes behind all that was said before.
        self.hear(machine);
        let Session { made, mark, is_removed, .. } = self.sessions[session];
        let mut standing = self.machines[machine].removals.standing(made, &[mark]);
        if standing == Standing::Unknown && self.ask(machine, Some(made.era)) {
            standing = self.machines[machine].removals.standing(made, &[mark]);
        }
        if is_removed {
            assert_ne!(standing, Standing::Good, "{made:?} at {machine}");
        } else if standing == Standing::Good {
            self.taken_up += 1;
            self.sessions[session].had_by[machine] = true;
        } else {
            self.not_taken_up += 1;
        }
    }

    /// Of what was made last there is more use.
    fn some_session(&mut self) -> usize {
        let back = self.numbers.below(60);
        let back = self.numbers.below(back + 1);
        self.sessions.len().saturating_sub(1 + back)
    }

    fn step(&mut self) {
        let machine = self.numbers.below(self.machines.len());
        let session = self.some_session();
        match self.numbers.below(40) {
            0 => self.connect(machine),
            1..=9 => {
                let made = self.machines[machine].removals.now().unwrap();
                let mark = Mark::try_from(self.sessions.len()).unwrap();
                let mut had_by = [false; MACHINES];
                had_by[machine] = true;
                self.sessions.push(Session { made, mark, is_removed: false, had_by });
            }
            10..=19 => self.remove(machine, session),
            20..=22 => self.hear(machine),
            23 => self.clear(machine, session),
            _ if session < self.sessions.len() => self.look_up(machine, session),
            _ => {}
        }
    }
}

#[test]
fn no_machine_takes_up_what_another_has_removed_whatever_happens() {
    let (mut taken_up, mut not_taken_up) = (0, 0);
    for seed in 0..200 {
        let numbers = Numbers(seed);
        let machine = |_| Machine { removals: Removals::with_batches_of(3, &[]), unheard: Vec::new() };
        let machines = (0..MACHINES).map(machine).collect();
        let sessions = Vec::new();
        let mut farm = Farm { numbers, machines, sessions, eras: 0, taken_up: 0, not_taken_up: 0 };
        (0..MACHINES).for_each(|machine| farm.connect(machine));
        (0..2000).for_each(|_| farm.step());
        taken_up += farm.taken_up;
        not_taken_up += farm.not_taken_up;
    }
    assert!(taken_up > 2 * not_taken_up, "{taken_up} were, {not_taken_up} could have been");
}
