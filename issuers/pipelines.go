package issuers

import (
	"github.com/oidcauth/oidcauth"
)

// BitbucketPipelines describes the steps of Bitbucket Pipelines in a workspace, by the
// workspace's name, an audience of this server, and the UUIDs of the repositories
// admitted, without braces.
//
// Send the token that a step with "oidc: true" finds in BITBUCKET_STEP_OIDC_TOKEN. List
// an audience of your own under "oidc", "audiences": the default one is the workspace,
// and a token with it is good at every server that the workspace uses.
//
// The identity rests on "repositoryUuid", which survives renames: all steps of a
// repository are one caller. Add rules on "deploymentEnvironmentUuid" or "branchName" to
// admit less. Unconfirmed: how long a token lives.
func BitbucketPipelines(workspace, audience string, repositoryUUIDs ...string) oidcauth.Issuer {
	if !isName(workspace) {
		return refused("BitbucketPipelines", "workspace", workspace, "its name, as in the address of its pages")
	}
	var braced []string
	for _, id := range repositoryUUIDs {
		if !isGUID(id) {
			return refused("BitbucketPipelines", "repository", id, "its UUID in small letters, without braces")
		}
		braced = append(braced, "{"+id+"}")
	}
	return oidcauth.Issuer{
		URL:        "https://api.bitbucket.org/2.0/workspaces/" + workspace + "/pipelines-config/identity/oidc",
		Audiences:  []string{audience},
		Algorithms: []string{"RS256"},
		Subject:    []oidcauth.Path{{"repositoryUuid"}},
		ClaimRules: []oidcauth.ClaimRule{claimIn(braced, "repositoryUuid")},
	}
}

// CircleCI describes the jobs of a CircleCI organization, by its ID, an audience of this
// server, and the IDs of the projects admitted.
//
// Send a token that the job asks for with the audience (circleci run oidc get). The
// default one, in CIRCLE_OIDC_TOKEN, has the organization's ID as audience and is good at
// every server that takes it.
//
// The identity rests on "oidc.circleci.com/project-id": all jobs of a project are one
// caller. Add a rule that "oidc.circleci.com/ssh-rerun" is "false" to refuse jobs that
// somebody is connected to. A token lives for an hour by default.
func CircleCI(organizationID, audience string, projectIDs ...string) oidcauth.Issuer {
	for _, id := range append([]string{organizationID}, projectIDs...) {
		if !isGUID(id) {
			return refused("CircleCI", "ID", id, "that of the organization or a project, a UUID in small letters")
		}
	}
	return oidcauth.Issuer{
		URL:        "https://oidc.circleci.com/org/" + organizationID,
		Audiences:  []string{audience},
		Algorithms: []string{"RS256"},
		Subject:    []oidcauth.Path{{"oidc.circleci.com/project-id"}},
		ClaimRules: []oidcauth.ClaimRule{claimIn(projectIDs, "oidc.circleci.com/project-id")},
	}
}

// Buildkite describes the jobs of Buildkite pipelines, by an audience of this server and
// the UUIDs of the pipelines admitted. A job chooses its audience freely, so that the
// pipeline is what admits.
//
// Send the token of "buildkite-agent oidc request-token --audience … --claim
// pipeline_id": without that claim a token names the pipeline by a name alone, which can
// be given to another one, and is refused.
//
// The identity rests on "pipeline_id": all jobs of a pipeline are one caller. Add rules
// on "build_branch" or "step_key" to admit less. A token lives for five minutes by
// default (--lifetime).
func Buildkite(audience string, pipelineIDs ...string) oidcauth.Issuer {
	for _, id := range pipelineIDs {
		if !isGUID(id) {
			return refused("Buildkite", "pipeline", id, "its UUID in small letters")
		}
	}
	return oidcauth.Issuer{
		URL:        "https://agent.buildkite.com",
		Audiences:  []string{audience},
		Algorithms: []string{"RS256"},
		Subject:    []oidcauth.Path{{"pipeline_id"}},
		ClaimRules: []oidcauth.ClaimRule{claimIn(pipelineIDs, "pipeline_id")},
	}
}
