//! Plans and applies access controls for a target that does not exist, and goes wrong in the way that its parameter
//! `fault` names. A plan makes every access control of the file, whatever was applied before.

use raito_connector::prelude::*;

struct Planner {
    fault: String,
    secret: String,
}

impl Connector for Planner {
    fn describe() -> ConnectorInfo {
        ConnectorInfo::new("planner", "0.1.0", "Plans and applies access controls, and goes wrong.")
            .parameter(Parameter::new("fault", "How to go wrong.").mandatory())
            .parameter(Parameter::new("entry-code", "A secret that does not look like one.").secret())
    }

    fn open(parameters: &Parameters) -> Result<Self> {
        Ok(Planner {
            fault: parameters.required("fault")?.to_owned(),
            secret: parameters.optional("entry-code").unwrap_or_default().to_owned(),
        })
    }
}

fn nobody() -> Who {
    Who { users: vec![], groups: vec![], access_controls: vec![], recipients: vec![] }
}

impl Planner {
    fn plan_of(&self, control: DesiredAccessControl, prefix: &str) -> AccessControlPlan {
        let mut plan = AccessControlPlan {
            actual_name: format!("{prefix}{}", control.name),
            id: control.id,
            name: control.name,
            change: Change::Create,
            added_who: control.who,
            removed_who: nobody(),
            added_what: control.what,
            removed_what: vec![],
            operations: vec![Operation {
                summary: "make it".into(),
                statement: Some("MAKE IT".into()),
                destructive: false,
            }],
            changed_in_target: None,
            errors: vec![],
            warnings: vec![],
        };
        match self.fault.as_str() {
            "hostile-text" => {
                let hostile = "one\n::error::two\u{1b}[2J\u{202e}`x`<img src=x>@everyone##[add-mask]x";
                plan.actual_name = hostile.into();
                plan.warnings = vec![hostile.into()];
                plan.operations.iter_mut().for_each(|operation| {
                    operation.summary = hostile.into();
                    operation.statement = Some(format!("FIRST;\n{hostile}{}", "x".repeat(9_000)));
                });
            }
            "tells-secret" => plan.operations.iter_mut().for_each(|operation| {
                operation.statement = Some(format!("SIGN IN WITH {}", self.secret));
            }),
            "silent-operations" => plan.change = Change::None,
            "cannot" => plan.errors = vec!["there is no such thing".into()],
            _ => {}
        }
        plan
    }
}

impl Access for Planner {
    fn capabilities() -> AccessCapabilities {
        AccessCapabilities { apply: true, partial_apply: false }
    }

    fn read(&mut self, controls: &mut AccessControls<'_>) -> Result<()> {
        controls.flush()
    }

    fn plan(
        &mut self,
        options: &ApplyOptions,
        desired: &mut DesiredAccessControls<'_>,
        plans: &mut Plans<'_>,
    ) -> Result<()> {
        let first: Vec<String> =
            desired.by_ref().map(|control| control.map(|control| control.id)).collect::<Result<_>>()?;
        desired.restart()?;
        let mut second = Vec::new();
        for control in desired {
            let plan = self.plan_of(control?, &options.prefix);
            second.push(plan.id.clone());
            if self.fault == "twice" {
                plans.push(plan.clone())?;
            }
            plans.push(plan)?;
        }
        if first == second {
            Ok(())
        } else {
            Err(Error::other(format!("the rounds differ: {first:?} and {second:?}")))
        }
    }

    #[expect(clippy::panic, reason = "one of the faults")]
    fn apply(
        &mut self,
        options: &ApplyOptions,
        desired: &mut DesiredAccessControls<'_>,
        feedback: &mut Feedback<'_>,
    ) -> Result<()> {
        if !(options.all_or_nothing && options.authoritative) {
            return Err(Error::other("not asked for all or nothing"));
        }
        for (at, control) in desired.enumerate() {
            let control = control?;
            let (operations, error) = match self.fault.as_str() {
                "breaks-off" => panic!("this connector has a fault"),
                "half" if at > 0 => (0, Some("the second of them is refused")),
                "half" => (2, None),
                "nothing" => (0, Some("all of it is refused")),
                _ => (1, None),
            };
            feedback.push(AccessControlFeedback {
                actual_name: control.name,
                id: control.id,
                external_id: None,
                control_type: None,
                operations,
                errors: error.into_iter().map(str::to_owned).collect(),
                warnings: vec![],
            })?;
        }
        Ok(())
    }
}

raito_connector::export!(Planner: access);
