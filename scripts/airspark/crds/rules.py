"""What admission checks beyond types: rules in CEL, each with one sentence that names the field and the remedy."""

from __future__ import annotations

from typing import Any

Rule = dict[str, Any]

#: Bounds that make the cost of a rule computable, far above any real manifest.
MOST_VOLUMES = 256
MOST_PORTS = 64
TEXT_LENGTH = 64
ADDRESS_LENGTH = 1024
SCHEDULE_LENGTH = 1024

#: Spark's JavaUtils.byteStringAs: whole numbers with an optional suffix, in any case, blanks around them trimmed.
SIZE = r"(?i)^\s*[0-9]+(b|[kmgtp]b?)?\s*$"
#: What both Java's and Go's parsers take as a number that is not negative.
NUMBER = r"^\s*[+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][-+]?[0-9]+)?\s*$"

#: Spark properties that kubeflow's webhook refuses too, by what to do instead.
DENIED = {
    "set driver.serviceAccount and executor.serviceAccount instead": (
        "spark.kubernetes.authenticate.driver.serviceAccountName",
        "spark.kubernetes.authenticate.executor.serviceAccountName",
    ),
    "set image, driver.image or executor.image instead": (
        "spark.kubernetes.container.image",
        "spark.kubernetes.driver.container.image",
        "spark.kubernetes.executor.container.image",
    ),
    "remove it, because the controller decides where the application runs": (
        "spark.master",
        "spark.kubernetes.driver.master",
    ),
    "remove it, because pods use the token of their service account": tuple(
        f"spark.kubernetes.authenticate.{role}{key}"
        for role in ("", "driver.", "executor.")
        for key in ("oauthToken", "oauthTokenFile")
    ),
}

#: What is refused here and not by kubeflow's CustomResourceDefinition, and why: the table of docs/sparkapplications.md. The
#: pattern says which messages of rules a line is about; a line without one is about the schema or the controller.
STRICTER = (
    (
        "`driver.coreRequest`, `driver.coreLimit` and the executor's: not a quantity, negative, or a request above the limit",
        "The API server refuses such pods; executors would never come, without a word",
        r"(driver|executor)\.core(Request|Limit) ",
    ),
    (
        "`memory`, `memoryOverhead`, `memoryLimit`, `memoryOverheadFactor`: what Spark cannot read, such as `1.5g`; a factor "
        "above 1000",
        "Spark's driver would end with a stack trace",
        r"((driver|executor)\.memory(Overhead|Limit)?|memoryOverheadFactor) ",
    ),
    (
        "`dynamicAllocation`: more executors at the start (`initialExecutors`, `executor.instances`) than `maxExecutors`",
        "Spark refuses to start; kubeflow's operator refuses it too, from 2.6 on",
        r"dynamicAllocation\.initialExecutors must not be above",
    ),
    (
        "`dynamicAllocation`: negative bounds, a minimum above the maximum, a maximum of 0",
        "Spark refuses to start; kubeflow's operator refuses it too, from 2.6 on",
        r"dynamicAllocation\.",
    ),
    (
        "a mount without its volume; one of `sparkConf` counts, and is mounted",
        "kubeflow's operator drops the mount without a word, and the application misses its files",
        r"(driver|executor)\.volumeMounts ",
    ),
    (
        "two entries with one key: names in `volumes`, `env`, `sidecars`, `initContainers`; paths in `volumeMounts`, "
        "`configMaps`, `secrets`; an `ip` in `hostAliases`; a port in `ports`, `driverIngressOptions`",
        "A server-side apply merges these lists by that key; Kubernetes refuses most of them in a pod",
        "",
    ),
    (
        "labels, keys of annotations and names of variables that an API server refuses; a container named twice",
        "The driver would be refused, and executors would never come; of variables, what Kubernetes before 1.34 takes",
        "",
    ),
    (
        "a volume, container, variable or mount of a template without its name, a mount without its path, a container without "
        "an image; names of volumes, containers and the driver's ports that are not valid, or there twice",
        "The driver would be refused, and executors would never come",
        "",
    ),
    (
        "`{{APP_ID}}` and `{{EXECUTOR_ID}}` in node selectors and in labels of Services",
        "Spark fills them in on pods only",
        "",
    ),
    (
        "an address of an Ingress without a DNS name, or with a placeholder that is not known",
        "The Ingress would be refused, or lead nowhere",
        "",
    ),
    (
        "two mounts at one path, also of `sparkConf`, templates and Spark itself; two volumes of one name, of which one comes "
        "from elsewhere",
        "The driver would be refused, and executors would never come",
        "",
    ),
    (
        "names of applications above 63 characters",
        "They are the values of labels",
        r"metadata\.name ",
    ),
    (
        "`concurrencyPolicy` and `schedule` that cannot be read",
        "The schedule would never run",
        r"(concurrencyPolicy|schedule) ",
    ),
    (
        "more than 256 volumes or mounts a pod, 64 `driverIngressOptions`",
        "A bound makes the cost of the rules computable",
        "",
    ),
)
#: Messages of rules that kubeflow's webhook has as well.
KUBEFLOW_TOO = r"(sparkConf must not set|nodeSelector must not be set together|driverIngressOptions must) "


def rule(check: str, message: str) -> Rule:
    """Return a rule.

    Args:
        check: expression in CEL that holds for what is accepted.
        message: the sentence that a refused user reads; a computed one that names the culprit in a list costs more than
            a schema may.
    """
    return {"rule": check, "message": message}


def name(kind: str) -> list[Rule]:
    """Return the rule of an object's name, which is a label's value on everything that belongs to it."""
    return [
        rule(
            "self.metadata.name.size() <= 63",
            f"metadata.name of a {kind} must not be longer than 63 characters; choose a shorter name",
        )
    ]


def quantity(field: str, zero: bool) -> list[Rule]:
    """Return the rule of a number of cores.

    Args:
        field: its name with its role.
        zero: whether nothing is accepted, as it is for a request and not for a limit.
    """
    least = "quantity(self).compareTo(quantity('0')) >= 0" if zero else "quantity(self).isGreaterThan(quantity('0'))"
    bound = "0 or more" if zero else "above 0"
    return [rule(f"isQuantity(self) && {least}", f"{field} must be a Kubernetes quantity {bound}; write it like 500m or 2")]


def size(field: str) -> list[Rule]:
    """Return the rule of an amount of memory as Spark reads it."""
    return [
        rule(
            f"self.matches(r'{SIZE}')",
            f"{field} must be a whole number with a unit of Spark (b, k, m, g, t or p); write it like 512m or 2g",
        )
    ]


def limit_size(field: str) -> list[Rule]:
    """Return the rule of a memory limit, which kubeflow's operator takes in Spark's or Kubernetes' units."""
    return [
        rule(
            f"self.matches(r'{SIZE}') || (isQuantity(self) && quantity(self).isGreaterThan(quantity('0')))",
            f"{field} must be an amount in Spark's or Kubernetes' units; write it like 2g or 2Gi",
        )
    ]


def factor(field: str) -> list[Rule]:
    """Return the rule of a number that is not negative."""
    return [rule(f"self.matches(r'{NUMBER}')", f"{field} must be a number of 0 or more; write it like '0.1'")]


def spark_conf() -> list[Rule]:
    """Return the rules of Spark properties that the controller owns, one a property so that the sentence names it."""
    return [
        rule(f"!('{key}' in self)", f"sparkConf must not set {key}; {remedy}") for remedy, keys in DENIED.items() for key in keys
    ]


def role(which: str) -> list[Rule]:
    """Return the rules of a driver or executor as a whole."""
    both = "!has(self.coreRequest) || !has(self.coreLimit) || !isQuantity(self.coreRequest) || !isQuantity(self.coreLimit)"
    return [
        rule(
            f"{both} || quantity(self.coreRequest).compareTo(quantity(self.coreLimit)) <= 0",
            f"{which}.coreRequest must not be above {which}.coreLimit; lower the request or raise the limit",
        )
    ]


def dynamic_allocation() -> list[Rule]:
    """Return the rules of dynamic allocation, as Spark's ExecutorAllocationManager checks them when it is on.

    An initial number below the minimum is accepted, because Spark takes the greater of both.
    """
    on = "!has(self.enabled) || !self.enabled"
    return [
        rule(
            f"{on} || !has(self.minExecutors) || self.minExecutors >= 0",
            "dynamicAllocation.minExecutors must not be negative; 0 lets an idle application keep no executor",
        ),
        rule(
            f"{on} || !has(self.maxExecutors) || self.maxExecutors > 0",
            "dynamicAllocation.maxExecutors must be 1 or more; raise it or leave it out",
        ),
        rule(
            f"{on} || !has(self.minExecutors) || !has(self.maxExecutors) || self.minExecutors <= self.maxExecutors",
            "dynamicAllocation.minExecutors must not be above maxExecutors; lower the one or raise the other",
        ),
        rule(
            f"{on} || !has(self.initialExecutors) || self.initialExecutors >= 0",
            "dynamicAllocation.initialExecutors must not be negative; set it between minExecutors and maxExecutors",
        ),
        rule(
            f"{on} || !has(self.initialExecutors) || !has(self.maxExecutors) || self.initialExecutors <= self.maxExecutors",
            "dynamicAllocation.initialExecutors must not be above maxExecutors; set it between minExecutors and maxExecutors",
        ),
    ]


def driver_ingresses() -> list[Rule]:
    """Return the rules of ports of the driver that are exposed, as kubeflow's webhook has them."""
    return [
        rule(
            "self.all(one, has(one.ingressURLFormat) && one.ingressURLFormat != '')",
            "driverIngressOptions must each have an ingressURLFormat; write it like '{{$appName}}.example.com'",
        ),
        rule(
            "self.all(one, !has(one.ingressURLFormat) || "
            "self.exists_one(other, has(other.ingressURLFormat) && other.ingressURLFormat == one.ingressURLFormat))",
            "driverIngressOptions must not use one ingressURLFormat twice; change one of them",
        ),
    ]


def application() -> list[Rule]:
    """Return the rules that look at an application's spec as a whole."""
    return [
        *_mounts("driver"),
        *_mounts("executor"),
        rule(
            "!has(self.nodeSelector) || (!has(self.driver.nodeSelector) && !has(self.executor.nodeSelector))",
            "nodeSelector must not be set together with driver.nodeSelector or executor.nodeSelector; keep one level",
        ),
    ]


def _mounts(which: str) -> list[Rule]:
    """Return the rule that every mount of a role has its volume; Spark makes those for `spark-local-dir-` itself.

    A volume may also come from properties. To look through them costs more than a rule may, so the controller does.
    """
    mounts, template = f"self.{which}.volumeMounts", f"self.{which}.template"
    own = (
        f"(has({template}) && has({template}.spec) && has({template}.spec.volumes)"
        f" && {template}.spec.volumes.exists(volume, has(volume.name) && volume.name == mount.name))"
    )
    known = (
        "mount.name.startsWith('spark-local-dir-')"
        " || (has(self.volumes) && self.volumes.exists(volume, volume.name == mount.name))"
        f" || {own}"
    )
    return [
        rule(
            f"!has({mounts}) || has(self.sparkConf) || {mounts}.all(mount, {known})",
            f"{which}.volumeMounts must only name volumes that exist; add the missing one to volumes or to "
            f"{which}.template.spec.volumes",
        )
    ]


def concurrency() -> list[Rule]:
    """Return the rule of what happens to a run that is due while another has not ended."""
    return [
        rule(
            "self in ['', 'Allow', 'Forbid', 'Replace']",
            "concurrencyPolicy must be Allow, Forbid or Replace; leave it out for Allow",
        )
    ]


def schedule() -> list[Rule]:
    """Return the rule of a cron schedule, which lets through what airspark_operator.schedule reads, and nothing else."""
    step = "(/0*[1-9][0-9]*)?"
    months = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
    weekday = "0*[0-7]|sun|mon|tue|wed|thu|fri|sat"
    fields = [
        _cron_field("0*[1-5]?[0-9]", step),
        _cron_field("0*(1?[0-9]|2[0-3])", step),
        _cron_field("0*([1-9]|[12][0-9]|3[01])", step, "l"),
        _cron_field(f"0*([1-9]|1[0-2])|{months}", step),
        _cron_field(weekday, step, f"({weekday})#[1-5]|l[0-7]"),
    ]
    words = "annually|yearly|monthly|weekly|daily|midnight|hourly"
    # digits are counted so that no sum of six is longer than Python's dates and Go's durations together can hold
    units = {6: "h", 8: "m", 9: "s", 12: "ms", 15: "us|µs|μs", 18: "ns"}
    parts = "|".join(f"(0*[0-9]{{1,{digits}}}([.][0-9]*)?|[.][0-9]+)({unit})" for digits, unit in units.items())
    every = rf"every\s+[+]?({parts}){{1,6}}"
    five = r"\s+".join(fields)
    pattern = rf"(?i)^\s*((cron_)?tz=\S*\s+)?(@({words}|{every})|{five})\s*$"
    plain, nothing = r"^[ -~\t\n\f\rµμ]*$", r"(?i)@every[^1-9]*$"
    return [
        rule(
            f"self.matches(r'{plain}') && self.matches(r'{pattern}') && !self.matches(r'{nothing}')",
            "schedule must be five fields of cron or a word such as @daily; write it like '0 2 * * *' or '@every 1h30m'",
        )
    ]


def _cron_field(value: str, step: str, special: str = "") -> str:
    """Return the pattern of one field of cron: a list of values and ranges with steps, and of what only this field has."""
    item = f"([*?]|({value})(-({value}))?){step}" + (f"|{special}" if special else "")
    return f"({item})(,({item}))*"
