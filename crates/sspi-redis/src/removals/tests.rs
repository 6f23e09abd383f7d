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
        removals.take_over(other.known(), removals.forgotten());
        assert_eq!(removals.standing(made, &[7]), Standing::Gone);
        assert_eq!(removals.standing(made, &[8]), Standing::Good);
    }
    let fresh = Removals::new(&[]);
    fresh.take_over(other.known(), 0);
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
        let known = Known { held: vec![(era, 0)], newest: vec![(era, 0)], batches: Vec::new() };
        assert!(removals.take_over(known, 0));
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
    assert!(removals.take_over(other.known(), 0));
    assert_eq!(removals.standing(ours, &[u32::MAX]), Standing::Good);
    assert_eq!(removals.standing(ours, &[most]), Standing::Gone);
    for made in &before[2..] {
        assert_eq!(removals.standing(*made, &[u32::MAX]), Standing::Good, "{made:?}");
        assert_eq!(removals.standing(*made, &[0]), Standing::Gone, "{made:?}");
    }
    // The other way round.
    let back = begun();
    back.take_over(removals.known(), 0);
    assert_eq!(back.standing(ours, &[u32::MAX]), Standing::Good);
    assert_eq!(back.standing(before[14], &[u32::MAX]), Standing::Good);
}

#[test]
fn who_holds_nothing_or_more_than_can_be_is_not_taken_over() {
    let known = begun().known();
    let fresh = || Removals::new(&[]);
    assert!(!fresh().take_over(Known { held: Vec::new(), ..known.clone() }, 0));
    let batches = vec![(Vec::new(), (0..=BATCH).map(|mark| Mark::try_from(mark).unwrap()).collect())];
    assert!(!fresh().take_over(Known { batches, ..known.clone() }, 0));
    let batches = vec![(Vec::new(), vec![1]); MOST_BATCHES + 1];
    assert!(!fresh().take_over(Known { batches, ..known.clone() }, 0));
    let held = (0..=MOST_ERAS).map(|number| ([u8::try_from(number).unwrap(); ERA_LEN], 0)).collect();
    assert!(!fresh().take_over(Known { held, ..known.clone() }, 0));
    assert!(fresh().take_over(known, 0));
}

#[test]
fn what_is_said_once_more_changes_nothing() {
    let other = begun();
    let (made, known) = (other.now().unwrap(), other.known());
    let removals = Removals::new(&[]);
    assert!(removals.take_over(known.clone(), removals.forgotten()));
    let asked = removals.forgotten();
    removals.removed(&[], &[7]);
    // What is remembered takes no room a second time.
    let batch = u32::try_from(BATCH).unwrap();
    for _ in 0..20 {
        removals.removed(&[], &(8..8 + batch).collect::<Vec<_>>());
    }
    assert_eq!(removals.standing(made, &[u32::MAX]), Standing::Good);
    // Something has been forgotten since, and what was known before it would bring it back.
    let most = u32::try_from(MOST_BATCHES + 1).unwrap() * batch;
    removals.removed(&[], &(8..8 + most).collect::<Vec<_>>());
    assert_eq!(removals.standing(made, &[7]), Standing::Gone);
    assert!(!removals.take_over(known, asked));
    assert_eq!(removals.standing(made, &[7]), Standing::Gone);
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
    announced: Option<Made>,
    /// Answers that it got on this connection, with what had been forgotten when it asked.
    answers: Vec<(Known, u64)>,
}

impl Machine {
    fn new(newest: &[(Era, u32)]) -> Self {
        let removals = Removals::with_batches_of(3, newest);
        Self { removals, unheard: Vec::new(), announced: None, answers: Vec::new() }
    }
}

impl Machine {
    fn will_hear(&self, mark: Mark) -> bool {
        self.unheard.iter().any(|said| matches!(said, Said::Removed(_, marks) if marks.contains(&mark)))
    }
}

#[derive(Clone)]
enum Said {
    Removed(Generations, Vec<Mark>),
    /// The same, by somebody who has heard it and says it again.
    Again(Generations, Vec<Mark>),
    Known(Known, u64),
}

struct Session {
    made: Made,
    mark: Mark,
    /// What it has in common with others.
    group: Mark,
    /// Who has made it or taken it up: nobody else removes it.
    had_by: [bool; MACHINES],
}

const MACHINES: usize = 4;
/// Groups have other marks than sessions.
const GROUPS: Mark = 1 << 20;

/// A farm in which anything happens at any time.
struct Farm {
    numbers: Numbers,
    machines: Vec<Machine>,
    sessions: Vec<Session>,
    removed: HashSet<Mark>,
    /// All that was ever published: it may be said again.
    published: Vec<Said>,
    eras: u8,
    taken_up: usize,
    not_taken_up: usize,
}

impl Farm {
    fn hear(&mut self, machine: usize) {
        let Machine { removals, unheard, .. } = &mut self.machines[machine];
        for said in unheard.drain(..) {
            match said {
                Said::Removed(newest, marks) | Said::Again(newest, marks) => {
                    removals.removed(&newest, &marks)
                }
                Said::Known(known, forgotten) => {
                    removals.take_over(known, forgotten);
                }
            }
        }
    }

    /// When this is over, all has been heard that was published before.
    fn publish(&mut self, machine: usize, marks: &[Mark]) {
        let newest = self.machines[machine].removals.newest();
        self.published.push(Said::Again(newest.clone(), marks.to_vec()));
        let said = Said::Removed(newest, marks.to_vec());
        for (at, other) in self.machines.iter_mut().enumerate() {
            if at != machine {
                other.unheard.push(said.clone());
            }
        }
        self.hear(machine);
    }

    fn connect(&mut self, machine: usize) {
        let newest = self.machines[machine].removals.newest();
        self.machines[machine] = Machine::new(&newest);
        if self.numbers.below(4) == 0 || !self.ask(machine, None) {
            self.eras += 1;
            self.machines[machine].removals.begin([self.eras; ERA_LEN]);
        }
    }

    fn ask(&mut self, machine: usize, wanted: Option<Era>) -> bool {
        let forgotten = self.machines[machine].removals.forgotten();
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
        self.machines[machine].answers.push((known.clone(), forgotten));
        self.machines[machine].unheard.push(Said::Known(known, forgotten));
        self.hear(machine);
        self.machines[machine].removals.now().is_some()
    }

    fn make(&mut self, machine: usize) {
        let made = self.machines[machine].removals.now().unwrap();
        let mark = Mark::try_from(self.sessions.len()).unwrap();
        // It may be of a connection that went on with another.
        let before = self.some_session();
        let before = self.sessions.get(before).filter(|session| session.had_by[machine]);
        let group = before.map_or(GROUPS + mark, |session| session.group);
        if self.machines[machine].announced != Some(made) {
            self.publish(machine, &[]);
            self.machines[machine].announced = Some(made);
        }
        // A connection that has gone on for longer than what was removed is remembered is a known limit.
        let is_forgotten = self.removed.contains(&group) && !self.machines[machine].will_hear(group);
        if self.machines[machine].removals.has(&[mark, group]) || is_forgotten {
            return;
        }
        let mut had_by = [false; MACHINES];
        had_by[machine] = true;
        self.sessions.push(Session { made, mark, group, had_by });
    }

    fn remove(&mut self, machine: usize, session: usize) {
        let Some(session) = self.sessions.get(session).filter(|session| session.had_by[machine]) else {
            return;
        };
        let marks = if self.numbers.below(2) == 0 { [session.mark] } else { [session.group] };
        // Once: what would be kept between two removals is of a connection that is older than what is remembered.
        if !self.removed.insert(marks[0]) {
            return;
        }
        self.machines[machine].removals.remove(&marks);
        self.publish(machine, &marks);
        self.machines[machine].removals.remove(&marks);
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

    /// Somebody who can write to Redis says what he has heard.
    fn replay(&mut self, machine: usize) {
        for _ in 0..self.numbers.below(30) {
            if !self.published.is_empty() {
                let said = self.published[self.numbers.below(self.published.len())].clone();
                self.machines.iter_mut().for_each(|machine| machine.unheard.push(said.clone()));
            }
        }
        let Machine { removals, answers, .. } = &self.machines[machine];
        for (known, forgotten) in answers {
            removals.take_over(known.clone(), *forgotten);
        }
    }

    fn look_up(&mut self, machine: usize, session: usize) {
        // The answer to a lookup comes behind all that was said before.
        self.hear(machine);
        let Session { made, mark, group, .. } = self.sessions[session];
        let mut standing = self.machines[machine].removals.standing(made, &[mark, group]);
        if standing == Standing::Unknown && self.ask(machine, Some(made.era)) {
            standing = self.machines[machine].removals.standing(made, &[mark, group]);
        }
        if self.removed.contains(&mark) || self.removed.contains(&group) {
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
            1..=9 => self.make(machine),
            10..=19 => self.remove(machine, session),
            20..=22 => self.hear(machine),
            23 => self.clear(machine, session),
            24 => self.replay(machine),
            _ if session < self.sessions.len() => self.look_up(machine, session),
            _ => {}
        }
    }
}

#[test]
fn no_machine_takes_up_what_another_has_removed_whatever_happens() {
    let (mut taken_up, mut not_taken_up) = (0, 0);
    for seed in 0..150 {
        let mut farm = Farm {
            numbers: Numbers(seed),
            machines: (0..MACHINES).map(|_| Machine::new(&[])).collect(),
            sessions: Vec::new(),
            removed: HashSet::new(),
            published: Vec::new(),
            eras: 0,
            taken_up: 0,
            not_taken_up: 0,
        };
        (0..MACHINES).for_each(|machine| farm.connect(machine));
        (0..2000).for_each(|_| farm.step());
        taken_up += farm.taken_up;
        not_taken_up += farm.not_taken_up;
    }
    assert!(taken_up > not_taken_up, "{taken_up} were, {not_taken_up} could have been");
}
