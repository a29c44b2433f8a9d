//! The life of an instance: each transitional state lasts until the next tick.

use super::{Caller, Refusal, State, World};

/// An instance's state before and after a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateChange {
    pub instance: String,
    pub previous: State,
    pub current: State,
}

impl World {
    /// Moves every instance in a transitional state one step on.
    pub fn tick(&mut self) {
        for id in std::mem::take(&mut self.moving) {
            match self.instances.get(&id).map(|instance| instance.state) {
                Some(State::Pending) => self.set_state(&id, State::Running),
                Some(State::Stopping) => self.set_state(&id, State::Stopped),
                Some(State::ShuttingDown) => self.terminate(&id),
                _ => {}
            }
        }
    }

    pub fn start_instances(
        &mut self,
        caller: &Caller,
        ids: &[String],
    ) -> Result<Vec<StateChange>, Refusal> {
        self.change_states(caller, ids, State::Pending, |state| match state {
            State::Stopped => Some(State::Pending),
            State::Pending | State::Running => Some(state),
            _ => None,
        })
    }

    pub fn stop_instances(
        &mut self,
        caller: &Caller,
        ids: &[String],
    ) -> Result<Vec<StateChange>, Refusal> {
        self.change_states(caller, ids, State::Stopping, |state| match state {
            State::Pending | State::Running => Some(State::Stopping),
            State::Stopping | State::Stopped => Some(state),
            _ => None,
        })
    }

    pub fn terminate_instances(
        &mut self,
        caller: &Caller,
        ids: &[String],
    ) -> Result<Vec<StateChange>, Refusal> {
        self.change_states(caller, ids, State::ShuttingDown, |state| match state {
            State::ShuttingDown | State::Terminated => Some(state),
            _ => Some(State::ShuttingDown),
        })
    }

    /// Changes the type of a stopped instance; its sessions stay, even if the new type cannot be a
    /// source.
    pub fn modify_instance_type(
        &mut self,
        caller: &Caller,
        id: &str,
        instance_type: &str,
    ) -> Result<(), Refusal> {
        if self.instance_of(caller, id)?.state != State::Stopped {
            let message = format!("The instance '{id}' is not in the 'stopped' state.");
            return Err(Refusal::new("IncorrectInstanceState", message));
        }
        if let Some(instance) = self.instances.get_mut(id) {
            instance_type.clone_into(&mut instance.instance_type);
        }
        Ok(())
    }

    fn change_states(
        &mut self,
        caller: &Caller,
        ids: &[String],
        wanted: State,
        next: impl Fn(State) -> Option<State>,
    ) -> Result<Vec<StateChange>, Refusal> {
        let change = |id: &String| {
            let previous = self.instance_of(caller, id)?.state;
            let current = next(previous).ok_or_else(|| {
                let (previous, wanted) = (previous.name(), wanted.name());
                let message = format!("The instance '{id}' cannot go from {previous} to {wanted}.");
                Refusal::new("IncorrectInstanceState", message)
            })?;
            Ok(StateChange { instance: id.clone(), previous, current })
        };
        let changes = ids.iter().map(change).collect::<Result<Vec<_>, _>>()?;
        for change in changes.iter().filter(|change| change.previous != change.current) {
            self.set_state(&change.instance, change.current);
        }
        Ok(changes)
    }

    pub(super) fn set_state(&mut self, id: &str, state: State) {
        let Some(instance) = self.instances.get_mut(id) else { return };
        instance.state = state;
        if matches!(state, State::Pending | State::Stopping | State::ShuttingDown) {
            self.moving.insert(id.to_owned());
        }
        self.tell_state(id);
    }

    /// The interfaces that die with the instance take their sessions along; the others become
    /// available.
    fn terminate(&mut self, id: &str) {
        let Some(instance) = self.instances.get_mut(id) else { return };
        (instance.vpc, instance.subnet) = (None, None);
        for interface in instance.interfaces.clone() {
            let attachment = self.interfaces.get(&interface).and_then(|i| i.attachment.as_ref());
            let dies = attachment.is_some_and(|attachment| attachment.delete_on_termination);
            self.detach(&interface);
            if dies {
                self.remove_interface(&interface);
            }
        }
        self.set_state(id, State::Terminated);
    }
}

#[cfg(test)]
mod tests {
    use super::super::stage::Stage;
    use super::super::{CreateInterface, CreateSession};
    use super::*;

    #[test]
    fn a_session_outlives_stopping_a_change_of_type_and_detaching() {
        let mut stage = Stage::new();
        let spare = CreateInterface::default();
        let spare = stage.world.create_interface(&stage.alice, &spare).unwrap();
        let attachment =
            stage.world.attach_interface(&stage.alice, &spare, &stage.instance, 1).unwrap();
        stage.create(&CreateSession { interface: spare, ..stage.request() });
        stage.create(&stage.request());

        let (instance, alice) = (stage.instance.clone(), stage.alice.clone());
        let refusal = stage.world.modify_instance_type(&alice, &instance, "m8g.large").unwrap_err();
        assert_eq!(refusal.code, "IncorrectInstanceState");
        stage.world.stop_instances(&alice, std::slice::from_ref(&instance)).unwrap();
        stage.world.tick();
        stage.world.modify_instance_type(&alice, &instance, "m8g.large").unwrap();
        stage.world.detach_interface(&alice, &attachment).unwrap();
        assert_eq!(stage.world.sessions().count(), 2);
    }

    #[test]
    fn a_terminated_instance_takes_its_own_interfaces_and_their_sessions_along() {
        let mut stage = Stage::new();
        let spare = CreateInterface::default();
        let spare = stage.world.create_interface(&stage.alice, &spare).unwrap();
        stage.world.attach_interface(&stage.alice, &spare, &stage.instance, 1).unwrap();
        let kept = stage.create(&CreateSession { interface: spare.clone(), ..stage.request() });
        stage.create(&stage.request());

        let ids = [stage.instance.clone()];
        stage.world.terminate_instances(&stage.alice, &ids).unwrap();
        assert_eq!(stage.world.sessions().count(), 2);
        stage.world.tick();
        assert!(stage.world.interface(&stage.source).is_none());
        assert_eq!(stage.world.interface(&spare).unwrap().status(), "available");
        assert_eq!(stage.world.sessions().collect::<Vec<_>>(), [&kept]);

        let instance = stage.world.instance(&stage.instance).unwrap();
        assert_eq!(instance.state, State::Terminated);
        assert_eq!((&instance.subnet, &instance.vpc), (&None, &None));
        assert!(instance.interfaces.is_empty());

        // The session goes with its source, and no call tells of it.
        stage.world.take_events();
        stage.world.delete_interface(&stage.alice, &spare).unwrap();
        assert_eq!(stage.world.sessions().count(), 0);
        assert!(stage.world.take_events().is_empty());
    }
}
