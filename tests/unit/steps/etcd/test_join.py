"""What becomes of a joining control plane's etcd: the plan, and its shell run for real against a stand-in."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from importlib import resources

import pytest

from kubeadm_py.model import paths
from kubeadm_py.model.actions import INITIAL_CLUSTER, EtcdMember, MakeDirectories, Wait
from kubeadm_py.model.components import Etcd, ExternalEtcd
from kubeadm_py.model.facts import FileFact
from kubeadm_py.model.joined import JoinedCluster
from kubeadm_py.model.node import Node, Role
from kubeadm_py.model.secret import Secret
from kubeadm_py.steps.etcd import join as etcd_join

RUNTIME = resources.files("kubeadm_py.engine").joinpath("runtime.sh").read_text()
FUNCTIONS = RUNTIME[RUNTIME.index("# kpy_listens") :]
CP1 = "aaa1, started, cp1, https://10.0.0.11:2380, https://10.0.0.11:2379, false"
OWN = "https://10.0.0.12:2380"
UNSTARTED = f"bbb2, unstarted, , {OWN}, , true"
LEARNER = f"bbb2, started, cp2, {OWN}, https://10.0.0.12:2379, true"
VOTER = f"bbb2, started, cp2, {OWN}, https://10.0.0.12:2379, false"

ETCDCTL = """#!/bin/sh
# A cluster of one file: its members; `refuse` holds what an add or a promotion is refused with.
cd "$(dirname "$0")/.."
while [ $# -gt 0 ]; do
  case $1 in
    --endpoints) at=$2; shift 2 ;;
    --learner) shift ;;
    --peer-urls=*) url=${1#*=}; shift ;;
    -w | --*) shift 2 ;;
    *) words="$words $1"; shift ;;
  esac
done
set -- $words
printf '%s\\n' "$at $*" >>log
case "$1 $2" in
  'member list') cat members ;;
  'member add')
    if [ -s refuse ]; then cat refuse >&2; : >refuse; exit 1; fi
    printf '%s\\n' "bbb2, unstarted, , $url, , true" >>members ;;
  'member remove') grep -v "^$3," members >left; mv left members ;;
  'member promote')
    if [ -s refuse ]; then cat refuse >&2; : >refuse; exit 1; fi
    sed -i "/^$3,/s/true$/false/" members ;;
  'endpoint health') [ ! -e sick ] || { echo "$at is unhealthy: failed to commit proposal" >&2; exit 1; } ;;
esac
"""


@pytest.fixture
def joining(control_plane):
    nodes = (
        *control_plane.cluster.nodes,
        Node("cp2", Role.CONTROL_PLANE, ("10.0.0.12",), advertise_address="10.0.0.12"),
    )
    cluster = replace(control_plane.cluster, nodes=nodes)
    joined = JoinedCluster("https://api:6443", b"", Secret(""), helper="https://10.0.0.11:6443")
    return replace(control_plane, cluster=cluster, node=nodes[1], verb="join", joined=joined)


class Cluster:
    """Run scripts as a stage does, with a stand-in for the etcd that they speak to."""

    def __init__(self, folder) -> None:
        self.folder = folder
        (folder / "bin").mkdir()
        self.command("etcdctl", ETCDCTL)
        urls = "https://10.0.0.11:2379\\nhttps://10.0.0.12:2379\\n"
        self.command("kubectl", f"#!/bin/sh\necho \"kubectl $*\" >>{folder}/log\nprintf '{urls}'\n")
        self.command("sleep", "#!/bin/sh\n")
        (folder / "refuse").touch()

    def command(self, name: str, text: str) -> None:
        file = self.folder / "bin" / name
        file.write_text(text)
        file.chmod(0o755)

    def members(self, *lines: str) -> None:
        (self.folder / "members").write_text("".join(f"{line}\n" for line in lines))

    @property
    def listed(self) -> list[str]:
        return (self.folder / "members").read_text().splitlines()

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def sh(self, script: str) -> tuple[int, str]:
        begin = f"kpy_run={self.folder}\nkpy_tmp={self.folder}\nkpy_stop={self.folder}/stop\nexec 3>&1\n"
        known = "kpy_mark() { printf 'mark %s\\n' \"$*\"; }\nkpy_relabel() { :; }\n"
        last = RUNTIME[RUNTIME.index("kpy_last() {") : RUNTIME.index("# kpy_ask")]
        ended = subprocess.run(
            ["sh", "-c", f"{begin}{FUNCTIONS}\n{known}{last}\n{script}"],
            env={
                "PATH": f"{self.folder}/bin:/usr/bin:/bin",
                "LC_ALL": "C",
                "INPUT": str(self.folder / "input"),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        return ended.returncode, ended.stdout + ended.stderr

    def announce(self, ctx) -> tuple[int, str]:
        """Run the announcement with its paths below the test's folder."""
        (action,) = (each for each in etcd_join.plan(ctx) if isinstance(each, EtcdMember))
        (self.folder / "input").write_bytes(action.manifest.content)
        here = action.script.replace(paths.MANIFESTS_DIR, str(self.folder))
        here = here.replace("/var/lib/etcd/", f"{self.folder}/data/").replace("$(date +%s)", "$(cat clock)")
        (self.folder / "clock").write_text("0")
        return self.sh(f"cd {self.folder}\nset -eu\n{here}")

    def manifest(self) -> str:
        return (self.folder / "etcd.yaml").read_text()


@pytest.fixture
def etcd(tmp_path) -> Cluster:
    return Cluster(tmp_path)


def test_a_new_member_is_announced_and_its_manifest_has_all_members(joining, etcd):
    etcd.members(CP1)
    code, said = etcd.announce(joining)
    assert (code, said) == (0, "")
    assert etcd.listed == [CP1, UNSTARTED]
    assert f"--initial-cluster=cp1=https://10.0.0.11:2380,cp2={OWN}\n" in etcd.manifest()
    assert "--initial-cluster-state=existing\n" in etcd.manifest()
    assert INITIAL_CLUSTER not in etcd.manifest()
    assert (etcd.folder / "etcd.yaml").stat().st_mode & 0o777 == 0o600
    assert "10.0.0.12:2379 member" not in etcd.log, "a learner is asked nothing"


def test_changes_are_asked_of_members_and_not_of_pods_whose_host_has_left(joining, etcd):
    left = "https://10.0.0.19:2379"
    etcd.command("kubectl", f"#!/bin/sh\nprintf '{left}\\nhttps://10.0.0.11:2379\\n'\n")
    etcd.members(CP1)
    assert etcd.announce(joining)[0] == 0
    etcd.members(CP1, LEARNER)
    assert etcd.sh(until(promotion(joining))) == (0, "")
    asked = [line for line in etcd.log.splitlines() if "member add" in line or "member promote" in line]
    assert len(asked) == 2
    assert all(line.startswith("https://10.0.0.11:2379 member") for line in asked)


LENDING = """#!/bin/sh
# The pod of cp1 does not answer, that of cp3 lends its etcdctl.
cd "$(dirname "$0")/.."
case "$*" in
  *'get pods'*'-o name') printf 'pod/etcd-cp1\\npod/etcd-cp3\\n' ;;
  *'get pods'*) printf 'https://10.0.0.11:2379\\n' ;;
  *'exec -n kube-system pod/etcd-cp1'*) echo "$*" >>lent; exit 1 ;;
  *'etcdctl version') echo "$*" >>lent ;;
  *'exec -n kube-system pod/etcd-cp3 -c etcd -- etcdctl'*)
    echo "$*" >>lent
    while [ "$1" != etcdctl ]; do shift; done
    shift
    exec bin/lent "$@" ;;
  *) exit 2 ;;
esac
"""


def test_a_host_without_etcdctl_borrows_one_until_its_own_etcd_runs(joining, etcd):
    (etcd.folder / "bin/etcdctl").rename(etcd.folder / "bin/lent")
    etcd.command("kubectl", LENDING)
    etcd.members(CP1)
    assert etcd.announce(joining) == (0, "")
    assert etcd.listed == [CP1, UNSTARTED]
    lent = (etcd.folder / "lent").read_text().splitlines()
    (added,) = [line for line in lent if "member add" in line]
    assert "--server https://10.0.0.11:6443" in added
    assert f"--peer-urls={OWN}" in added
    assert len([line for line in lent if "etcd-cp1" in line]) == 1, "what does not answer is asked once"
    etcd.command("crictl", '#!/bin/sh\n[ "$1" = exec ] || { echo abc; exit; }\nshift 3\nexec bin/lent "$@"\n')
    etcd.members(CP1, LEARNER)
    assert etcd.sh(f"cd {etcd.folder}\n{until(promotion(joining))}") == (0, "")
    assert etcd.listed == [CP1, VOTER]
    assert (etcd.folder / "lent").read_text().splitlines() == lent


def test_a_host_that_nobody_lends_one_to_says_so(joining, etcd):
    (etcd.folder / "bin/etcdctl").unlink()
    etcd.command("kubectl", LENDING.replace("\\npod/etcd-cp3", ""))
    etcd.members(CP1)
    etcd.command("sleep", f"#!/bin/sh\necho 999 >{etcd.folder}/clock\n")
    code, said = etcd.announce(joining)
    assert code == 1
    assert "no pod of etcd that lends one" in said


def test_a_member_that_was_announced_before_is_not_announced_again(joining, etcd):
    etcd.members(CP1, UNSTARTED)
    assert etcd.announce(joining)[0] == 0
    assert "member add" not in etcd.log
    assert f"cp2={OWN}" in etcd.manifest()


def test_members_without_a_name_go_by_their_id(joining, etcd):
    etcd.members(CP1, "ccc3, unstarted, , https://10.0.0.13:2380, , false")
    etcd.announce(joining)
    assert "ccc3=https://10.0.0.13:2380" in etcd.manifest()


def test_another_learner_is_waited_for(joining, etcd):
    etcd.members(CP1)
    (etcd.folder / "refuse").write_text("Error: etcdserver: too many learner members in cluster\n")
    code, said = etcd.announce(joining)
    assert code == 0
    assert said == "mark note another control plane's etcd is joining; one does at a time\n"


def test_a_wiped_host_leaves_and_comes_anew(joining, etcd):
    etcd.members(CP1, VOTER)
    (etcd.folder / "sick").touch()
    assert etcd.announce(joining)[0] == 0
    assert etcd.listed == [CP1, UNSTARTED]
    assert "member remove bbb2" in etcd.log


def test_a_member_that_answers_is_never_taken_for_a_wiped_host(joining, etcd):
    etcd.members(CP1, VOTER)
    code, said = etcd.announce(joining)
    assert code == 1
    assert "an etcd member answers at https://10.0.0.12:2379, and there is no data of it on this host" in said
    assert etcd.listed == [CP1, VOTER]
    assert not (etcd.folder / "etcd.yaml").exists()


def test_data_of_a_member_that_is_none_any_more_is_never_started(joining, etcd):
    etcd.members(CP1)
    (etcd.folder / "data/member").mkdir(parents=True)
    code, said = etcd.announce(joining)
    assert code == 1
    assert "the data of a member that the cluster does not know" in said
    assert not (etcd.folder / "etcd.yaml").exists()


def test_time_runs_out(joining, etcd):
    etcd.members(CP1)
    etcd.command("etcdctl", f"#!/bin/sh\necho 999 >{etcd.folder}/clock\necho 'no leader' >&2\nexit 1\n")
    code, said = etcd.announce(joining)
    assert code == 1
    assert said == "etcd does not answer: no leader\n"


def test_ctrl_c_ends_the_wait(joining, etcd):
    etcd.members(CP1)
    (etcd.folder / "refuse").write_text("no\n")
    (etcd.folder / "stop").touch()
    assert etcd.announce(joining)[0] == 130


def until(wait: Wait) -> str:
    return f"kpy_listens() {{ :; }}\nset +e\nkpy_f() {{\n{wait.until}\n}}\nkpy_f\n"


def promotion(ctx) -> Wait:
    wait = etcd_join.plan(ctx)[-1]
    assert isinstance(wait, Wait)
    return wait


def test_a_learner_is_promoted_once_it_has_caught_up(joining, etcd):
    etcd.members(CP1, LEARNER)
    (etcd.folder / "refuse").write_text("can only promote a learner member which is in sync with leader\n")
    script = until(promotion(joining))
    assert etcd.sh(script) == (1, "etcd catches up with the others\n")
    assert etcd.sh(script) == (0, "")
    assert etcd.listed == [CP1, VOTER]


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([CP1], "the cluster does not know this member\n"),
        ([CP1, UNSTARTED], "etcd has not found the other members yet\n"),
    ],
)
def test_why_a_member_does_not_vote_yet(members, said, joining, etcd):
    etcd.members(*members)
    assert etcd.sh(until(promotion(joining))) == (1, said)


def test_a_voter_that_is_healthy_is_waited_for_no_longer(joining, etcd):
    etcd.members(CP1, VOTER)
    assert etcd.sh(until(promotion(joining))) == (0, "")
    assert "promote" not in etcd.log


def test_nobody_is_added_to_a_sick_cluster(joining, etcd):
    etcd.members(CP1)
    (wait,) = etcd_join.plan_check(joining)
    assert isinstance(wait, Wait)
    assert etcd.sh(until(wait)) == (0, "")
    (etcd.folder / "sick").touch()
    code, said = etcd.sh(until(wait))
    assert code == 1
    assert said == "https://10.0.0.11:2379 is unhealthy: failed to commit proposal\n"


def test_members_that_have_left_are_not_asked_though_their_pods_are_still_listed(joining, etcd):
    """The API forgets the pods of a removed host a minute later; a learner is well only once it votes."""
    etcd.command("kubectl", "#!/bin/sh\nprintf 'https://10.0.0.11:2379\\nhttps://10.0.0.13:2379\\n'\n")
    etcd.members(CP1, "ccc3, started, cp4, https://10.0.0.14:2380, https://10.0.0.14:2379, true", VOTER)
    (wait,) = etcd_join.plan_check(joining)
    assert etcd.sh(until(wait)) == (0, "")
    assert "https://10.0.0.11:2379,https://10.0.0.13:2379 member list" in etcd.log
    asked = [line for line in etcd.log.splitlines() if line.endswith("endpoint health")]
    assert asked == ["https://10.0.0.11:2379 endpoint health"], "this host's own, wiped, is seen to later"


def test_what_is_planned(joining):
    directory, member, _ = etcd_join.plan(joining)
    assert directory == MakeDirectories((("/var/lib/etcd", 0o700),), title="etcd's data directory")
    assert isinstance(member, EtcdMember)
    assert (member.name, member.peer_url) == ("cp2", OWN)
    manifest = FileFact(etcd_join.MANIFEST, 0o600, "root:root")
    again = replace(joining, facts=replace(joining.facts, files={manifest.path: manifest}))
    assert [type(action) for action in etcd_join.plan(again)] == [Wait]
    assert etcd_join.plan_check(again) == []


def test_an_etcd_that_others_run_is_left_alone(joining):
    external = Etcd(None, ExternalEtcd(("https://etcd:2379",)))
    ctx = replace(joining, cluster=replace(joining.cluster, etcd=external))
    assert etcd_join.plan(ctx) == []
    assert etcd_join.plan_check(ctx) == []
