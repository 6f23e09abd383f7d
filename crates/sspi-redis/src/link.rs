//! One connection to Redis, and what is heard over it of sessions that were removed.
//!
//! What machines say arrives on the connection on which sessions are looked up, and Redis keeps the order: when the answer to
//! a lookup is there, all that was said before has been heard. So nobody has to ask whether the channel is still there, and
//! with the connection ends what this machine holds ([`removals`](crate::removals)).
//!
//! Each key of the farm has a channel and eras of its own: who has not all keys does not hear all channels.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use crypto::random::{Random as _, SystemRandom};
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, PushInfo, PushKind, RedisError, Value, cmd,
};
use tokio::sync::{Mutex as AsyncMutex, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::key_ring::{FarmKey, KeyRing};
use crate::news::{Name, News, What, channel, channel_of};
use crate::removals::{Era, Generations, Known, MOST_ERAS, Made, Mark, Removals, Standing};

/// What all connections of a machine have in common.
pub(crate) struct Farm {
    keys: KeyRing,
    /// How long the others have to answer while a lookup waits.
    patience: Duration,
}

/// How long the others have to answer a machine that connects. They answer at once, or are not there.
const PATIENCE: Duration = Duration::from_secs(1);
/// One of these parts of it is for each who has said that it holds something, and is asked to tell.
const SHARES: u32 = 4;
/// For so long a late answer is as good as another: this machine has heard since what was said since.
const LATE: Duration = Duration::from_secs(10);
/// No era is called so.
const NOBODYS: Era = [0; 16];
/// After which time somebody may have an era that nobody had.
const ASK_AGAIN: Duration = Duration::from_secs(5);
/// Eras for which nobody was found.
const MOST_ASKED: usize = 1024;
/// Short answers on their way at once.
const MOST_ANSWERS: usize = 16;
/// Long ones.
const MOST_TELLING: usize = 2;
/// Eras that are asked for at once, though no session of theirs was met.
const MOST_LEARNING: usize = 4;
/// Questions that are answered once only: who can write to Redis can put them again.
const MOST_TOLD: usize = 1024;

fn random() -> Result<[u8; 16], RedisError> {
    let mut number = [0; 16];
    let filled = SystemRandom.fill(&mut number);
    filled.map_err(|_| RedisError::from((ErrorKind::Client, "the system has no random numbers")))?;
    Ok(number)
}

impl Farm {
    /// A machine whose lookups end at `deadline`.
    pub(crate) fn new(keys: KeyRing, deadline: Duration) -> Self {
        Self { keys, patience: PATIENCE.min(deadline / 4) }
    }
}

/// A connection. It is closed when it is dropped.
pub(crate) struct Link {
    connection: MultiplexedConnection,
    farm: Arc<Farm>,
    /// What this end of it calls itself. What was heard ends with it, and so does the name.
    name: Name,
    /// For each key.
    removals: Vec<Removals>,
    /// For each key, with which generation sessions were made last: the others have been told of it.
    announced: Vec<Mutex<Option<Made>>>,
    questions: Mutex<Questions>,
    /// One asks for an era, and the others wait for it.
    learning: AsyncMutex<()>,
    answers: Arc<Semaphore>,
    telling: Semaphore,
    learners: Arc<Semaphore>,
    /// Redis has closed it.
    is_cut: AtomicBool,
}

#[derive(Default)]
struct Questions {
    /// To whom the answers go, and until when they count.
    open: HashMap<Name, Open>,
    /// When an era was asked for that nobody holds.
    asked: HashMap<Era, Instant>,
    /// Questions of others to which all was told.
    told: VecDeque<Name>,
}

struct Open {
    answer: mpsc::UnboundedSender<Answer>,
    until: Instant,
    /// What had been forgotten when it was put.
    forgotten: u64,
}

enum Answer {
    Holds {
        machine: Name,
        held: Generations,
    },
    /// Somebody has told all, and it was taken over.
    Knows,
}

impl Link {
    /// Connects, and asks the others what was removed. `newest` are the generations that are known from before, for each key.
    pub(crate) async fn open(
        client: &Client,
        farm: Arc<Farm>,
        newest: &[Generations],
    ) -> Result<Arc<Self>, RedisError> {
        let this = Arc::new(OnceLock::<Weak<Self>>::new());
        let ear = Arc::clone(&this);
        let hear = move |push: PushInfo| {
            if let Some(link) = ear.get().and_then(Weak::upgrade) {
                link.hear(&push);
            }
            Ok::<(), RedisError>(())
        };
        let config = AsyncConnectionConfig::new().set_push_sender(hear);
        let connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        let newest = newest.iter().map(Vec::as_slice).chain(core::iter::repeat(&[] as &[_]));
        let link = Arc::new(Self {
            connection,
            name: random()?,
            removals: farm.keys.keys().zip(newest).map(|(_, newest)| Removals::new(newest)).collect(),
            announced: farm.keys.keys().map(|_| Mutex::default()).collect(),
            farm,
            questions: Mutex::default(),
            learning: AsyncMutex::default(),
            answers: Arc::new(Semaphore::new(MOST_ANSWERS)),
            telling: Semaphore::new(MOST_TELLING),
            learners: Arc::new(Semaphore::new(MOST_LEARNING)),
            is_cut: AtomicBool::new(false),
        });
        let _it_is_new = this.set(Arc::downgrade(&link));
        let channels = link.farm.keys.keys().flat_map(|key| [channel(key), channel_of(key, &link.name)]);
        link.connection.clone().subscribe(channels.collect::<Vec<_>>()).await?;
        let mut joins = JoinSet::new();
        for place in 0..link.removals.len() {
            let link = Arc::clone(&link);
            joins.spawn(async move {
                match link.with_keys().nth(place) {
                    Some((key, removals)) => link.join(key, removals).await,
                    None => Ok(()),
                }
            });
        }
        while let Some(joined) = joins.join_next().await {
            joined.map_err(|_| RedisError::from((ErrorKind::Io, "connecting to Redis failed")))??;
        }
        Ok(link)
    }

    /// Holds what another machine holds, or begins an era.
    async fn join(&self, key: &FarmKey, removals: &Removals) -> Result<(), RedisError> {
        self.ask(key, removals, None, PATIENCE).await?;
        if removals.now().is_none() {
            removals.begin(random()?);
            // Another may have begun one at the same time.
            self.say(key, removals, What::Holds { nonce: random()?, held: removals.held() }).await?;
        }
        Ok(())
    }

    /// What Redis says to a command.
    pub(crate) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        command.query_async(&mut self.connection.clone()).await
    }

    /// The keys of the farm.
    pub(crate) fn keys(&self) -> &KeyRing {
        &self.farm.keys
    }

    /// Each key, and what is known of sessions under it.
    pub(crate) fn with_keys(&self) -> impl Iterator<Item = (&FarmKey, &Removals)> {
        self.farm.keys.keys().zip(&self.removals)
    }

    /// Whether Redis has closed it: nobody need find that out by asking.
    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::Relaxed)
    }

    /// The generations that are known now, for each key.
    pub(crate) fn newest(&self) -> Vec<Generations> {
        self.removals.iter().map(Removals::newest).collect()
    }

    /// Tells the others that sessions are removed, by the names that they have under a key.
    pub(crate) async fn removed(
        &self,
        key: &FarmKey,
        removals: &Removals,
        marks: Vec<Mark>,
    ) -> Result<(), RedisError> {
        removals.remove(&marks);
        self.say(key, removals, What::Removed(marks.clone())).await?;
        removals.remove(&marks);
        Ok(())
    }

    /// What a session that is made now says of it, after the others have been told: whoever removes something has to know how
    /// far the others are. What they removed before they heard of it, this machine has heard by then.
    pub(crate) async fn made(&self, key: &FarmKey, removals: &Removals) -> Result<Option<Made>, RedisError> {
        let made = removals.now();
        let place = self.farm.keys.keys().position(|known| known.id == key.id);
        let Some(announced) = place.and_then(|place| self.announced.get(place)) else { return Ok(made) };
        let last = || announced.lock().unwrap_or_else(PoisonError::into_inner);
        if *last() != made {
            self.say(key, removals, What::Removed(Vec::new())).await?;
            *last() = made;
        }
        Ok(made)
    }

    /// Hears from all how far they are.
    pub(crate) async fn catch_up(&self) -> Result<(), RedisError> {
        for (key, removals) in self.with_keys() {
            self.ask(key, removals, Some(NOBODYS), PATIENCE).await?;
        }
        Ok(())
    }

    /// Whether a session is to be taken up: it was not removed since it was made.
    pub(crate) async fn is_good(
        &self,
        key: &FarmKey,
        removals: &Removals,
        made: Made,
        marks: &[Mark],
    ) -> bool {
        if removals.standing(made, marks) == Standing::Unknown {
            self.learn(key, removals, made.era).await;
        }
        removals.standing(made, marks) == Standing::Good
    }

    fn questions(&self) -> MutexGuard<'_, Questions> {
        self.questions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for an era, unless somebody has just done so in vain.
    async fn learn(&self, key: &FarmKey, removals: &Removals, era: Era) {
        let _one_asks = self.learning.lock().await;
        let lacks = || removals.lacks(&[(era, 0)]).is_some();
        if !lacks() || self.was_asked(era) {
            return;
        }
        // Who cannot be asked holds nothing. Who holds it and has not told yet may be asked again.
        let is_held = self.ask(key, removals, Some(era), self.farm.patience).await;
        if lacks() && !is_held.unwrap_or(false) {
            self.questions().asked.insert(era, Instant::now());
        }
    }

    /// Whether there is no use in asking for an era.
    fn was_asked(&self, era: Era) -> bool {
        let now = Instant::now();
        let mut questions = self.questions();
        questions.asked.retain(|_, at| now.duration_since(*at) < ASK_AGAIN);
        questions.asked.len() >= MOST_ASKED || questions.asked.contains_key(&era)
    }

    /// Says something to all who have a key; how many have heard it, this machine among them.
    async fn say(&self, key: &FarmKey, removals: &Removals, what: What) -> Result<usize, RedisError> {
        self.query(&self.message(key, &channel(key), removals.newest(), what)?).await
    }

    fn message(
        &self,
        key: &FarmKey,
        channel: &str,
        newest: Generations,
        what: What,
    ) -> Result<Cmd, RedisError> {
        let news = News { from: self.name, newest, what };
        let unsealed = || RedisError::from((ErrorKind::Client, "a message could not be sealed"));
        let sealed = news.seal(key, channel, &SystemRandom).ok_or_else(unsealed)?;
        let mut publish = cmd("PUBLISH");
        publish.arg(channel).arg(sealed);
        Ok(publish)
    }

    /// Asks who holds an era, or any, and takes over what they know; whether somebody holds it.
    async fn ask(
        &self,
        key: &FarmKey,
        removals: &Removals,
        wanted: Option<Era>,
        patience: Duration,
    ) -> Result<bool, RedisError> {
        let until = Instant::now() + patience;
        let (nonce, mut answers) = self.question(removals.forgotten())?;
        // This machine hears it, too.
        let others = self.say(key, removals, What::Who { nonce }).await?.saturating_sub(1);
        let (mut heard, mut holders) = (HashSet::new(), Vec::new());
        let (mut tells_until, mut is_told, mut is_held) = (None, false, false);
        loop {
            if tells_until.is_none()
                && let Some(machine) = next_holder(removals, &mut holders, wanted)
            {
                self.say(key, removals, What::Tell { nonce, machine }).await?;
                (tells_until, is_held) = (Some(until.min(Instant::now() + patience / SHARES)), true);
            }
            // Who was asked to tell, and is slow, has as long as there is if nobody else can be asked.
            let is_waiting = is_held && !is_told;
            if tells_until.is_none() && (is_told || !is_waiting && heard.len() >= others) {
                return Ok(is_held);
            }
            match timeout_at(tells_until.unwrap_or(until), answers.recv()).await {
                Ok(Some(Answer::Knows)) => (tells_until, is_told) = (None, true),
                Ok(Some(Answer::Holds { machine, held })) => {
                    if heard.insert(machine) {
                        holders.push((machine, held));
                    }
                }
                // It may be gone, and another not.
                Err(_) if Instant::now() < until => tells_until = None,
                Ok(None) | Err(_) => return Ok(is_held),
            }
        }
    }

    /// The number of a question, and where its answers arrive.
    fn question(&self, forgotten: u64) -> Result<(Name, mpsc::UnboundedReceiver<Answer>), RedisError> {
        let (nonce, now) = (random()?, Instant::now());
        let (answer, answers) = mpsc::unbounded_channel();
        let mut questions = self.questions();
        questions.open.retain(|_, open| now < open.until);
        questions.open.insert(nonce, Open { answer, until: now + LATE, forgotten });
        Ok((nonce, answers))
    }

    /// What Redis says unasked.
    fn hear(self: &Arc<Self>, push: &PushInfo) {
        if push.kind == PushKind::Disconnection {
            self.is_cut.store(true, Ordering::Relaxed);
        }
        let (PushKind::Message, [Value::BulkString(channel), Value::BulkString(message)]) =
            (&push.kind, push.data.as_slice())
        else {
            return;
        };
        let Ok(channel) = str::from_utf8(channel) else { return };
        let heard = News::open(&self.farm.keys, channel, message).filter(|(_, it)| it.from != self.name);
        let Some((key, News { from, newest, what })) = heard else { return };
        let Some((_, removals)) = self.with_keys().find(|(known, _)| known.id == key.id) else { return };
        // Whoever removes something has to know how far the others are.
        removals.removed(&newest, &[]);
        match what {
            What::Removed(marks) => removals.removed(&[], &marks),
            What::Who { nonce } => {
                let holds = What::Holds { nonce, held: removals.held() };
                let message = self.message(key, channel, removals.newest(), holds);
                self.answer(message);
            }
            What::Tell { nonce, machine } if machine == self.name => self.tell(key, nonce, from),
            What::Tell { .. } => {}
            What::Holds { nonce, held } => {
                // Nobody has asked, or nobody waits any more.
                if let Some(held) = self.forward(nonce, from, held) {
                    self.learn_of(key, removals, &held);
                }
            }
            What::Knows { nonce, held, batches } => {
                let Some(forgotten) = self.is_open(nonce) else { return };
                if removals.take_over(Known { held, newest, batches }, forgotten) {
                    self.told(nonce);
                }
            }
        }
    }

    /// Tells all that is known under a key, once to each who asks, and not to many at the same time.
    fn tell(self: &Arc<Self>, key: &FarmKey, nonce: Name, to: Name) {
        let Ok(permit) = Arc::clone(&self.answers).try_acquire_owned() else { return };
        {
            let told = &mut self.questions().told;
            if told.contains(&nonce) {
                return;
            }
            told.truncate(MOST_TOLD - 1);
            told.push_front(nonce);
        }
        let (link, id) = (Arc::clone(self), key.id);
        tokio::spawn(async move {
            let _one_of_few = link.telling.acquire().await;
            if let Some((key, removals)) = link.with_keys().find(|(key, _)| key.id == id) {
                let Known { held, newest, batches } = removals.known();
                let knows = What::Knows { nonce, held, batches };
                if let Ok(message) = link.message(key, &channel_of(key, &to), newest, knows) {
                    let _unheard: Result<(), RedisError> = link.query(&message).await;
                }
            }
            drop(permit);
        });
    }

    /// Says something without waiting for it, unless too much is being said. Who hears nothing asks another, or again.
    fn answer(&self, message: Result<Cmd, RedisError>) {
        let permit = Arc::clone(&self.answers).try_acquire_owned();
        let (Ok(message), Ok(permit)) = (message, permit) else { return };
        let mut connection = self.connection.clone();
        tokio::spawn(async move {
            let _unheard: Result<(), RedisError> = message.query_async(&mut connection).await;
            drop(permit);
        });
    }

    /// Asks for an era that somebody holds and this machine does not. Not for one more than can be held: another would go for it.
    fn learn_of(self: &Arc<Self>, key: &FarmKey, removals: &Removals, held: &[(Era, u32)]) {
        let Some(era) = removals.lacks(held).filter(|era| !self.was_asked(*era)) else { return };
        let permit = Arc::clone(&self.learners).try_acquire_owned();
        let Some(permit) = permit.ok().filter(|_| removals.held().len() < MOST_ERAS) else { return };
        let (link, id) = (Arc::clone(self), key.id);
        tokio::spawn(async move {
            if let Some((key, removals)) = link.with_keys().find(|(key, _)| key.id == id) {
                link.learn(key, removals, era).await;
            }
            drop(permit);
        });
    }

    /// What had been forgotten when this question was put, if it is one whose answers count.
    fn is_open(&self, nonce: Name) -> Option<u64> {
        let questions = self.questions();
        let open = questions.open.get(&nonce).filter(|open| Instant::now() < open.until)?;
        Some(open.forgotten)
    }

    /// Hands on what a machine holds to who has asked; gives it back where nobody waits.
    fn forward(&self, nonce: Name, machine: Name, held: Generations) -> Option<Generations> {
        let asker = self.questions().open.get(&nonce).map(|open| open.answer.clone());
        let Some(asker) = asker else { return Some(held) };
        match asker.send(Answer::Holds { machine, held }) {
            Err(mpsc::error::SendError(Answer::Holds { held, .. })) => Some(held),
            _ => None,
        }
    }

    /// Somebody has told all.
    fn told(&self, nonce: Name) {
        if let Some(open) = self.questions().open.get(&nonce) {
            let _nobody_waits = open.answer.send(Answer::Knows);
        }
    }
}

/// One that holds what is wanted and is not held here.
fn next_holder(
    removals: &Removals,
    holders: &mut Vec<(Name, Generations)>,
    wanted: Option<Era>,
) -> Option<Name> {
    while let Some((machine, held)) = holders.pop() {
        let is_wanted = wanted.is_none_or(|wanted| held.iter().any(|(era, _)| *era == wanted));
        if is_wanted && removals.lacks(&held).is_some() {
            return Some(machine);
        }
    }
    None
}
