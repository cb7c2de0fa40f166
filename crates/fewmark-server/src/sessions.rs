//! Images that a viewer uploads for a while, beside the study.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::app::App;
use crate::clock;
use crate::error::Problem;
use crate::segment::load;

/// How long a session lives after it was last used, in seconds, unless it asks for less.
const LONGEST: u64 = 3600;
/// Sessions at a time.
const MOST: usize = 64;

/// The sessions of viewers. They end with the server.
pub(crate) struct Sessions {
    folder: PathBuf,
    open: Mutex<HashMap<String, Session>>,
}

/// An uploaded image.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) id: String,
    /// The image, or the folder that holds the files of a series.
    pub(crate) image: PathBuf,
    folder: PathBuf,
    created: u64,
    used: u64,
    expiry: u64,
}

impl Sessions {
    /// An empty list; what a server that was killed left behind is removed.
    pub(crate) fn new(studies: &Path) -> std::io::Result<Self> {
        let folder = studies.join(".fewmark/sessions");
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        Ok(Self { folder, open: Mutex::default() })
    }

    /// Opens a session with files that were uploaded under names; `expiry` in seconds, 0 for the usual.
    ///
    /// # Errors
    /// 422 when there is no file, or the files are no image; 503 when there are too many sessions.
    pub(crate) fn open(
        &self,
        app: &App,
        files: Vec<(String, tempfile::NamedTempFile)>,
        expiry: u64,
    ) -> Result<Session, Problem> {
        self.expire();
        if files.is_empty() {
            return Err(Problem::wrong("the form has no file").hint("send the image in the field `files`"));
        }
        if self.lock().len() >= MOST {
            return Err(Problem::new(axum::http::StatusCode::SERVICE_UNAVAILABLE, "too many sessions are open")
                .hint("close some, or wait until they expire"));
        }
        let id = crate::random::uuid();
        let folder = self.folder.join(&id);
        std::fs::create_dir_all(&folder).map_err(|e| Problem::io("create", "the folder of the session", e))?;
        let now = clock::now();
        let expiry = if expiry == 0 { LONGEST } else { expiry.min(LONGEST) };
        let mut session = Session { id: id.clone(), image: folder.clone(), folder, created: now, used: now, expiry };
        // What is no image is told at once, and by the names that the client knows.
        let image = session.take_in(files).and_then(|(image, name)| {
            load(app, &image).map_err(|problem| problem.of_upload(&image, &name))?;
            Ok(image)
        });
        match image {
            Ok(image) => session.image = image,
            Err(problem) => {
                session.remove();
                return Err(problem);
            }
        }
        self.lock().insert(id, session.clone());
        Ok(session)
    }

    /// An open session, which is used now.
    pub(crate) fn find(&self, id: &str) -> Result<Session, Problem> {
        self.expire();
        let mut open = self.lock();
        let session =
            open.get_mut(id).ok_or_else(|| Problem::missing("there is no such session, or it has expired"))?;
        session.used = clock::now();
        Ok(session.clone())
    }

    /// Ends a session and removes its files.
    pub(crate) fn close(&self, id: &str) -> Result<Session, Problem> {
        let session = self.lock().remove(id).ok_or_else(|| Problem::missing("there is no such session"))?;
        session.remove();
        Ok(session)
    }

    fn expire(&self) {
        let now = clock::now();
        self.lock().retain(|_, session| {
            let alive = now <= session.used + session.expiry;
            if !alive {
                session.remove();
            }
            alive
        });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Session>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    /// Puts files into the folder; the image that they are, and what its client calls it.
    fn take_in(&self, files: Vec<(String, tempfile::NamedTempFile)>) -> Result<(PathBuf, String), Problem> {
        let mut image = (self.folder.clone(), "the files".to_owned());
        let one = files.len() == 1;
        for (number, (given, file)) in files.into_iter().enumerate() {
            // Names are ours, endings are known ones: those of the client go nowhere.
            let name = format!("image-{number:05}.{}", crate::datastore::ending(&given).unwrap_or("dcm"));
            let path = self.folder.join(&name);
            file.persist(&path).map_err(|e| Problem::io("write", name, e.error))?;
            if one {
                image = (path, given);
            }
        }
        Ok(image)
    }

    fn remove(&self) {
        // What cannot be removed now is removed when the server starts again.
        let _ = std::fs::remove_dir_all(&self.folder);
    }

    /// As MONAI Label tells it; names instead of paths, which nobody else can use.
    pub(crate) fn to_json(&self) -> Value {
        let image = crate::datastore::name_of(&self.image);
        json!({
            "name": self.id,
            "path": self.id,
            "image": image,
            "meta": {},
            "create_ts": self.created,
            "last_access_ts": self.used,
            "expiry": self.expiry,
        })
    }
}

impl Drop for Sessions {
    fn drop(&mut self) {
        for session in self.lock().values() {
            session.remove();
        }
    }
}
