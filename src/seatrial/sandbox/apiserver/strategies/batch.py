"""Jobs and CronJobs."""

from seatrial.kube.selectors import LabelSelector
from seatrial.sandbox.api import Object
from seatrial.sandbox.apiserver.statuses import FieldError, invalid, required, unsupported
from seatrial.sandbox.apiserver.strategies.base import Strategy, fill
from seatrial.sandbox.apiserver.strategies.workloads import (
    default_template,
    label_selector_errors,
    numbers_errors,
    template_errors,
)
from seatrial.sandbox.rules.cron_schedule import Schedule, ScheduleError

UNLIMITED = 2147483647
CONTROLLER_UID = "batch.kubernetes.io/controller-uid"
JOB_NAME = "batch.kubernetes.io/job-name"


def _default_job_spec(spec: Object) -> None:
    default_template(spec)
    if spec.get("completions") is None and spec.get("parallelism") is None:
        fill(spec, completions=1, parallelism=1)
    fill(spec, parallelism=1)
    fill(
        spec,
        backoffLimit=UNLIMITED if spec.get("backoffLimitPerIndex") is not None else 6,
        completionMode="NonIndexed",
        suspend=False,
        podReplacementPolicy="Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed",
        manualSelector=False,
    )
    for rule in (spec.get("podFailurePolicy") or {}).get("rules") or ():
        for condition in rule.get("onPodConditions") or ():
            fill(condition, status="True")


def _job(job: Object) -> None:
    _default_job_spec(job.setdefault("spec", {}))


def _prepare_job(job: Object) -> None:
    spec, meta = job["spec"], job["metadata"]
    if spec.get("manualSelector"):
        return
    labels = spec["template"]["metadata"].setdefault("labels", {})
    fill(labels, **{CONTROLLER_UID: meta["uid"]})
    if meta.get("name"):
        fill(labels, **{JOB_NAME: meta["name"]})
    fill(labels, **{"controller-uid": meta["uid"]})
    if meta.get("name"):
        fill(labels, **{"job-name": meta["name"]})
    if not meta.get("labels"):
        meta["labels"] = dict(labels)
    selector = spec.setdefault("selector", {}).setdefault("matchLabels", {})
    selector.setdefault(CONTROLLER_UID, meta["uid"])


def _job_errors(job: Object) -> list[FieldError]:
    spec = job["spec"]
    errors = job_spec_errors(spec, "spec")
    selector, labels = spec.get("selector") or {}, spec["template"]["metadata"].get("labels") or {}
    if not spec.get("manualSelector"):
        expected = {"matchLabels": {CONTROLLER_UID: job["metadata"]["uid"]}}
        if selector != expected:
            errors.append(invalid("spec.selector", selector, "`selector` not auto-generated"))
    wrong = label_selector_errors(selector, "spec.selector")
    if wrong:
        return errors + wrong
    if not LabelSelector.from_dict(selector).matches(labels):
        rule = "`selector` does not match template `labels`"
        errors.append(invalid("spec.template.metadata.labels", labels, rule))
    return errors


def job_spec_errors(spec: Object, path: str) -> list[FieldError]:
    """What is wrong with a job's spec, in a Job or a CronJob."""
    errors = numbers_errors(
        spec,
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        path=path,
    )
    errors += template_errors(spec, path=path, restart=False)
    policy = spec["template"]["spec"].get("restartPolicy")
    if policy == "Always":
        rule = 'valid values: "OnFailure", "Never"'
        errors.append(required(f"{path}.template.spec.restartPolicy", rule))
    elif policy not in ("OnFailure", "Never"):
        errors.append(unsupported(f"{path}.template.spec.restartPolicy", policy, ("OnFailure", "Never")))
    return errors


def _cron_job(cron: Object) -> None:
    spec = cron.setdefault("spec", {})
    fill(
        spec,
        concurrencyPolicy="Allow",
        suspend=False,
        successfulJobsHistoryLimit=3,
        failedJobsHistoryLimit=1,
    )
    template = spec.setdefault("jobTemplate", {})
    template.setdefault("metadata", {})
    default_template(template.setdefault("spec", {}))


def _cron_job_errors(cron: Object) -> list[FieldError]:
    spec = cron["spec"]
    errors = _schedule_errors(spec.get("schedule", ""))
    policies = ("Allow", "Forbid", "Replace")
    if spec.get("concurrencyPolicy") not in policies:
        errors.append(unsupported("spec.concurrencyPolicy", spec.get("concurrencyPolicy"), policies))
    errors += job_spec_errors(spec["jobTemplate"]["spec"], "spec.jobTemplate.spec")
    names = ("startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit")
    return errors + numbers_errors(spec, *names)


def _schedule_errors(schedule: str) -> list[FieldError]:
    if not schedule:
        return [required("spec.schedule")]
    if "TZ=" in schedule:
        rule = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        return [invalid("spec.schedule", schedule, rule)]
    fields = schedule.split()
    if not schedule.startswith("@") and len(fields) != 5:
        shown = "[" + " ".join(fields) + "]"
        rule = f"expected exactly 5 fields, found {len(fields)}: {shown}"
        return [invalid("spec.schedule", schedule, rule)]
    try:
        Schedule(schedule)
    except ScheduleError as error:
        return [invalid("spec.schedule", schedule, str(error))]
    return []


_SCHEDULING = ("nodeSelector", "affinity", "tolerations", "schedulingGates")


def _fixed_template(job: Object, old: Object) -> Object:
    """What of a job's template may not change: of a suspended job all but scheduling directives and metadata."""
    template: Object = job["spec"]["template"]
    if not old["spec"].get("suspend"):
        return template
    return {"spec": {key: value for key, value in template["spec"].items() if key not in _SCHEDULING}}


def _job_update(new: Object, old: Object) -> list[FieldError]:
    errors = [
        invalid(f"spec.{key}", new["spec"].get(key), "field is immutable")
        for key in ("selector", "completionMode")
        if new["spec"].get(key) != old["spec"].get(key)
    ]
    if _fixed_template(new, old) != _fixed_template(old, old):
        errors.append(invalid("spec.template.spec", new["spec"]["template"]["spec"], "field is immutable"))
    return errors


JOB = Strategy(
    defaults=_job, prepare_create=_prepare_job, validate=_job_errors, validate_update=_job_update, empty_status={}
)
CRON_JOB = Strategy(defaults=_cron_job, validate=_cron_job_errors, empty_status={})
