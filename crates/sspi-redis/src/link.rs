//! One connection to Redis, and what is heard over it of sessions that were removed.
//!
//! What machines say arrives on the connection on which sessions are looked up, and Redis keeps the order: when the answer to
//! a lookup is there, all that was said before has been heard. So nobody has to ask whether the channel is still there, and
//! with the connection ends what this machine holds ([`removals`](crate::removals)).

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use crypto::random::{Random as _, SystemRandom};
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, PushInfo, PushKind, RedisError, Value, cmd,
};
use tokio::sync::{Mutex as AsyncMutex, mpsc};
use tokio::time::{Instant, timeout_at};

use crate::key_ring::{FarmKey, KEY_ID_LEN, KeyRing};
use crate::news::{Name, News, What, channel};
use crate::removals::{Era, Generations, Known, Made, Mark, Removals, Standing};

/// What all connections of a machine have in common.
pub(crate) struct Farm {
    keys: KeyRing,
    machine: Name,
    /// How long the others have to answer.
    patience: Duration,
}

/// The others answer at once, or are not there.
const MOST_PATIENCE: Duration = Duration::from_secs(1);
/// One of these parts of it is for each who has said that it holds something, and is asked to tell.
const SHARES: u32 = 4;
/// After which time somebody may have an era that nobody had.
const ASK_AGAIN: Duration = Duration::from_secs(5);
/// Eras for which nobody was found.
const MOST_ASKED: usize = 1024;

fn random() -> Result<[u8; 16], RedisError> {
    let mut number = [0; 16];
    let filled = SystemRandom.fill(&mut number);
    filled.map_err(|_| RedisError::from((ErrorKind::Client, "the system has no random numbers")))?;
    Ok(number)
}

impl Farm {
    /// A machine whose lookups end at `deadline`.
    pub(crate) fn new(keys: KeyRing, deadline: Duration) -> Result<Self, RedisError> {
        Ok(Self { keys, machine: random()?, patience: MOST_PATIENCE.min(deadline / 2) })
    }
}

/// A connection. It is closed when it is dropped.
pub(crate) struct Link {
    connection: MultiplexedConnection,
    farm: Arc<Farm>,
    removals: Removals,
    questions: Mutex<Questions>,
    /// One asks for an era, and the others wait for it.
    learning: AsyncMutex<()>,
    /// Redis has closed it.
    is_cut: AtomicBool,
}

#[derive(Default)]
struct Questions {
    /// To whom the answers go.
    open: HashMap<Name, mpsc::UnboundedSender<Answer>>,
    /// When an era was asked for that nobody holds.
    asked: HashMap<Era, Instant>,
}

enum Answer {
    Holds(Holder),
    /// Somebody has told all, and it was taken over.
    Knows,
}

/// A machine that holds something, and has said so in the channel of the key with this identifier.
struct Holder {
    machine: Name,
    held: Generations,
    key: [u8; KEY_ID_LEN],
}

impl Link {
    /// Connects, and asks the others what was removed. `newest` are the generations that are known from before.
    pub(crate) async fn open(
        client: &Client,
        farm: Arc<Farm>,
        newest: &[(Era, u32)],
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
        let (removals, questions) = (Removals::new(newest), Mutex::default());
        let (learning, is_cut) = (AsyncMutex::new(()), AtomicBool::new(false));
        let link = Arc::new(Self { connection, farm, removals, questions, learning, is_cut });
        let _it_is_new = this.set(Arc::downgrade(&link));
        let channels: Vec<String> = link.farm.keys.keys().map(channel).collect();
        link.connection.clone().subscribe(channels).await?;
        if !link.ask(None).await? {
            link.removals.begin(random()?);
            // Another may have begun one at the same time.
            for key in link.farm.keys.keys() {
                let holds = What::Holds { nonce: random()?, held: link.removals.held() };
                link.say(key, holds).await?;
            }
        }
        Ok(link)
    }

    /// What Redis says to a command.
    pub(crate) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        command.query_async(&mut self.connection.clone()).await
    }

    /// The keys of the farm.
    pub(crate) fn keys(&self) -> &KeyRing {
        &self.farm.keys
    }

    /// Whether Redis has closed it: nobody need find that out by asking.
    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::Relaxed)
    }

    /// The generations that are known now.
    pub(crate) fn newest(&self) -> Generations {
        self.removals.newest()
    }

    /// What a session that is made now says of it.
    pub(crate) fn now(&self) -> Option<Made> {
        self.removals.now()
    }

    /// Tells the others that sessions are removed, by the names that they have under a key.
    pub(crate) async fn removed(&self, key: &FarmKey, marks: Vec<Mark>) -> Result<(), RedisError> {
        self.removals.removed(&[], &marks);
        self.say(key, What::Removed(marks)).await?;
        Ok(())
    }

    /// Whether a session is to be taken up: it was not removed since it was made.
    pub(crate) async fn is_good(&self, made: Made, mark: Mark) -> bool {
        match self.removals.standing(made, mark) {
            Standing::Good => true,
            Standing::Gone => false,
            Standing::Unknown => {
                self.learn(made.era).await;
                self.removals.standing(made, mark) == Standing::Good
            }
        }
    }

    /// Asks for an era, unless somebody has just done so.
    async fn learn(&self, era: Era) {
        let _one_asks = self.learning.lock().await;
        if self.removals.lacks(&[(era, 0)]).is_some() && self.may_ask(era) {
            // Who cannot be asked holds nothing.
            let _is_told = self.ask(Some(era)).await;
        }
    }

    fn questions(&self) -> MutexGuard<'_, Questions> {
        self.questions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is a use in asking for an era.
    fn may_ask(&self, era: Era) -> bool {
        let now = Instant::now();
        let mut questions = self.questions();
        questions.asked.retain(|_, at| now.duration_since(*at) < ASK_AGAIN);
        questions.asked.len() < MOST_ASKED && questions.asked.insert(era, now).is_none()
    }

    /// Says something to all who have a key; how many have heard it, this machine among them.
    async fn say(&self, key: &FarmKey, what: What) -> Result<usize, RedisError> {
        let message = self.message(key, self.removals.newest(), what)?;
        self.query(&message).await
    }

    fn message(&self, key: &FarmKey, newest: Generations, what: What) -> Result<Cmd, RedisError> {
        let news = News { from: self.farm.machine, newest, what };
        let unsealed = || RedisError::from((ErrorKind::Client, "a message could not be sealed"));
        let sealed = news.seal(key, &SystemRandom).ok_or_else(unsealed)?;
        let mut publish = cmd("PUBLISH");
        publish.arg(channel(key)).arg(sealed);
        Ok(publish)
    }

    /// Asks who holds an era, or any, and takes over what they know; whether there was one.
    async fn ask(&self, wanted: Option<Era>) -> Result<bool, RedisError> {
        let until = Instant::now() + self.farm.patience;
        let nonce = random()?;
        let (answer, mut answers) = mpsc::unbounded_channel();
        let _open = Open::new(self, nonce, answer);
        let mut unheard = 0;
        for key in self.farm.keys.keys() {
            // This machine hears it, too.
            unheard += self.say(key, What::Who { nonce }).await?.saturating_sub(1);
        }
        let (mut holders, mut tells_until, mut is_told) = (Vec::new(), None, false);
        loop {
            if tells_until.is_none()
                && let Some((machine, key)) = self.next_holder(&mut holders, wanted)
            {
                self.say(key, What::Tell { nonce, machine }).await?;
                tells_until = Some(until.min(Instant::now() + self.farm.patience / SHARES));
            }
            if tells_until.is_none() && (is_told || unheard == 0) {
                return Ok(is_told);
            }
            match timeout_at(tells_until.unwrap_or(until), answers.recv()).await {
                Ok(Some(Answer::Knows)) => (tells_until, is_told) = (None, true),
                Ok(Some(Answer::Holds(holder))) => {
                    unheard = unheard.saturating_sub(1);
                    holders.push(holder);
                }
                // It may be gone, and another not.
                Err(_) if Instant::now() < until => tells_until = None,
                Ok(None) | Err(_) => return Ok(is_told),
            }
        }
    }

    /// One that holds what is wanted and is not held here, with the key under which it has said so.
    fn next_holder(&self, holders: &mut Vec<Holder>, wanted: Option<Era>) -> Option<(Name, &FarmKey)> {
        while let Some(Holder { machine, held, key }) = holders.pop() {
            let is_wanted = wanted.is_none_or(|wanted| held.iter().any(|(era, _)| *era == wanted));
            let key = self.farm.keys.keys().find(|known| known.id == key);
            if let Some(key) = key.filter(|_| is_wanted && self.removals.lacks(&held).is_some()) {
                return Some((machine, key));
            }
        }
        None
    }

    /// Asks for an era that somebody holds and this machine does not.
    fn learn_of(self: &Arc<Self>, held: &[(Era, u32)]) {
        if let Some(era) = self.removals.lacks(held) {
            let link = Arc::clone(self);
            tokio::spawn(async move { link.learn(era).await });
        }
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
        let heard = News::open(&self.farm.keys, channel, message);
        let Some((key, News { from, newest, what })) = heard.filter(|(_, it)| it.from != self.farm.machine)
        else {
            return;
        };
        // Whoever removes something has to know how far the others are.
        self.removals.removed(&newest, &[]);
        match what {
            What::Removed(marks) => self.removals.removed(&[], &marks),
            What::Who { nonce } => {
                let holds = What::Holds { nonce, held: self.removals.held() };
                self.answer(key, self.removals.newest(), holds);
            }
            What::Tell { nonce, machine } if machine == self.farm.machine => {
                let Known { held, newest, batches } = self.removals.known();
                self.answer(key, newest, What::Knows { nonce, held, batches });
            }
            What::Tell { .. } => {}
            What::Holds { nonce, held } if self.is_open(nonce) => {
                self.forward(nonce, Answer::Holds(Holder { machine: from, held, key: key.id }));
            }
            What::Holds { held, .. } => self.learn_of(&held),
            What::Knows { nonce, held, batches } => {
                if self.is_open(nonce) {
                    self.removals.take_over(Known { held, newest, batches });
                    self.forward(nonce, Answer::Knows);
                }
            }
        }
    }

    /// Says something without waiting for it. Who asked and hears nothing asks again.
    fn answer(&self, key: &FarmKey, newest: Generations, what: What) {
        let Ok(message) = self.message(key, newest, what) else { return };
        let mut connection = self.connection.clone();
        tokio::spawn(async move {
            let _unheard: Result<(), RedisError> = message.query_async(&mut connection).await;
        });
    }

    fn is_open(&self, nonce: Name) -> bool {
        self.questions().open.contains_key(&nonce)
    }

    fn forward(&self, nonce: Name, answer: Answer) {
        if let Some(asker) = self.questions().open.get(&nonce) {
            let _gone = asker.send(answer);
        }
    }
}

/// A question that is open as long as somebody waits.
struct Open<'a> {
    link: &'a Link,
    nonce: Name,
}

impl<'a> Open<'a> {
    fn new(link: &'a Link, nonce: Name, answer: mpsc::UnboundedSender<Answer>) -> Self {
        link.questions().open.insert(nonce, answer);
        Self { link, nonce }
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.link.questions().open.remove(&self.nonce);
    }
}
