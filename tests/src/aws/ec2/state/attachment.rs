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

#[cfg(test)]
mod tests {
    use super::super::{CreateInterface, RunInstances, ZONE_B};
    use super::*;

    #[test]
    fn an_attached_interface_can_be_detached_again_but_the_primary_cannot() {
        let (mut world, alice) = (World::default(), Caller::default());
        let host = world.run_instances(&alice, &RunInstances::default()).unwrap().remove(0);
        world.tick();
        let interface = world.create_interface(&alice, &CreateInterface::default()).unwrap();
        let attachment = world.attach_interface(&alice, &interface, &host, 1).unwrap();
        assert_eq!(world.instance(&host).unwrap().interfaces.len(), 2);
        let refusal = world.attach_interface(&alice, &interface, &host, 2).unwrap_err();
        assert_eq!(refusal.code, "InvalidNetworkInterface.InUse");
        world.detach_interface(&alice, &attachment).unwrap();
        assert_eq!(world.interface(&interface).unwrap().status(), "available");

        let primary = world.instance(&host).unwrap().interfaces[0].clone();
        let attachment = world.interface(&primary).unwrap().attachment.clone().unwrap();
        let refusal = world.detach_interface(&alice, &attachment.id).unwrap_err();
        assert_eq!(refusal.code, "OperationNotPermitted");
    }

    #[test]
    fn an_interface_is_attached_in_its_own_zone_at_a_free_index() {
        let (mut world, alice) = (World::default(), Caller::default());
        let host = world.run_instances(&alice, &RunInstances::default()).unwrap().remove(0);
        world.tick();
        let elsewhere = CreateInterface { subnet: ZONE_B.to_owned(), ..CreateInterface::default() };
        let elsewhere = world.create_interface(&alice, &elsewhere).unwrap();
        let refusal = world.attach_interface(&alice, &elsewhere, &host, 1).unwrap_err();
        assert_eq!(refusal.code, "InvalidParameterCombination");
        let here = world.create_interface(&alice, &CreateInterface::default()).unwrap();
        let refusal = world.attach_interface(&alice, &here, &host, 0).unwrap_err();
        assert_eq!(refusal.code, "InvalidParameterValue");
    }

    #[test]
    fn attaching_is_told_in_flat_camel_case_whether_it_worked_or_not() {
        let (mut world, alice) = (World::default(), Caller::default());
        let host = world.run_instances(&alice, &RunInstances::default()).unwrap().remove(0);
        world.tick();
        let interface = world.create_interface(&alice, &CreateInterface::default()).unwrap();
        world.take_events();
        let attachment = world.attach_interface(&alice, &interface, &host, 1).unwrap();
        world.attach_interface(&alice, "eni-gone", &host, 1).unwrap_err();
        let events = world.take_events();
        assert_eq!(events[0]["detail"]["requestParameters"]["networkInterfaceId"], interface);
        assert_eq!(events[0]["detail"]["responseElements"]["attachmentId"], attachment);
        let failed = &events[1]["detail"];
        assert_eq!(failed["errorCode"], "Client.InvalidNetworkInterfaceID.NotFound");
        assert!(failed.get("responseElements").is_none());
    }
}
