//! Attaching interfaces to instances, and detaching them.

use serde_json::json;

use super::{Attachment, Caller, Instance, Interface, Refusal, Resource, State, World};

impl World {
    /// Attaches a free interface; the attachment's id is the answer.
    pub fn attach_interface(
        &mut self,
        caller: &Caller,
        interface: &str,
        instance: &str,
        device_index: u32,
    ) -> Result<String, Refusal> {
        let answer = self.check_attach(caller, interface, instance, device_index);
        let answer = answer.map(|()| self.attach(interface, instance, device_index, false));
        let request = json!({
            "networkInterfaceId": interface,
            "instanceId": instance,
            "deviceIndex": device_index,
        });
        let response =
            answer.as_ref().map(|id| json!({ "attachmentId": id, "networkCardIndex": 0 }));
        self.tell_call(caller, "AttachNetworkInterface", request, response);
        answer
    }

    /// Detaches an interface. Its sessions stay.
    pub fn detach_interface(&mut self, caller: &Caller, attachment: &str) -> Result<(), Refusal> {
        let answer = self.attached_by(caller, attachment);
        if let Ok(interface) = &answer {
            self.detach(interface);
        }
        let request = json!({ "attachmentId": attachment, "force": false });
        let response = answer.as_ref().map(|_| json!({ "_return": true }));
        self.tell_call(caller, "DetachNetworkInterface", request, response);
        answer.map(|_| ())
    }

    fn check_attach(
        &self,
        caller: &Caller,
        interface: &str,
        instance: &str,
        device_index: u32,
    ) -> Result<(), Refusal> {
        let free = self.free_interface(caller, interface)?;
        let target = self.instance_of(caller, instance)?;
        if !matches!(target.state, State::Running | State::Stopped) {
            let message = format!("Instance '{instance}' is not 'running' or 'stopped'.");
            return Err(Refusal::new("IncorrectState", message));
        }
        if free.availability_zone != target.availability_zone {
            let message = "You may not attach a network interface to an instance in another zone";
            return Err(Refusal::new("InvalidParameterCombination", message));
        }
        let index = |id: &String| self.interface(id).and_then(Interface::device_index);
        let taken = |id: &String| index(id) == Some(device_index);
        if target.interfaces.iter().any(taken) {
            return Err(Refusal::value(format!(
                "Instance '{instance}' already has an interface attached at device index '{device_index}'."
            )));
        }
        Ok(())
    }

    /// The interface behind an attachment that the caller may undo.
    fn attached_by(&self, caller: &Caller, attachment: &str) -> Result<String, Refusal> {
        let is_it = |a: &Attachment| a.id == attachment;
        let interface = (self.interfaces.values())
            .filter(|interface| interface.owner == caller.account)
            .find(|interface| interface.attachment.as_ref().is_some_and(is_it))
            .ok_or_else(|| {
                let message = format!("An attachment ID '{attachment}' does not exist");
                Refusal::new("InvalidAttachmentID.NotFound", message)
            })?;
        if interface.instance().is_none() || interface.device_index() == Some(0) {
            let message = "The network interface at device index 0 cannot be detached.";
            return Err(Refusal::new("OperationNotPermitted", message));
        }
        Ok(interface.id.clone())
    }

    /// Attaches without asking: an interface and an instance that exist.
    pub(super) fn attach(
        &mut self,
        interface: &str,
        instance: &str,
        device_index: u32,
        delete_on_termination: bool,
    ) -> String {
        let id = self.new_id("eni-attach");
        let Some(host) = self.instances.get_mut(instance) else { return id };
        let Some(attached) = self.interfaces.get_mut(interface) else { return id };
        attached.attachment = Some(Attachment {
            id: id.clone(),
            instance: Some(instance.to_owned()),
            instance_owner: host.owner.clone(),
            device_index,
            network_card_index: 0,
            status: "attached".to_owned(),
            delete_on_termination,
        });
        host.interfaces.push(interface.to_owned());
        host.interfaces.sort_by_key(|id| self.interfaces.get(id).and_then(Interface::device_index));
        id
    }

    pub(super) fn detach(&mut self, interface: &str) {
        let Some(attached) = self.interfaces.get_mut(interface) else { return };
        let host = attached.attachment.take().and_then(|attachment| attachment.instance);
        if let Some(host) = host.and_then(|id| self.instances.get_mut(&id)) {
            host.interfaces.retain(|id| id != interface);
        }
    }

    pub(super) fn instance_of(&self, caller: &Caller, id: &str) -> Result<&Instance, Refusal> {
        let instance = self.instances.get(id).filter(|i| i.owner == caller.account);
        instance.ok_or_else(|| Instance::missing(id))
    }
}
