package issuers

import (
	"slices"
	"strings"

	"github.com/oidcauth/oidcauth"
)

// GitLabCI describes the CI jobs of a GitLab instance ("https://gitlab.com"), for
// an audience of this server and the IDs of the projects admitted. A job chooses
// its audience freely, so that the project is what admits.
//
// Send the ID token that the job declares under "id_tokens". The tokens of people
// have the same issuer and are refused: they have no "project_id". [GitLabUser] may be
// configured beside it.
//
// The identity rests on "project_id", which survives renames, behind "project:",
// since people have numbers too: all jobs of a project are one caller. "sub" contains the branch and is no identity. To admit
// protected branches only add a rule that "ref_protected" is "true", a string.
// A token lives as long as the job may run, or five minutes.
func GitLabCI(instance, audience string, projectIDs ...string) oidcauth.Issuer {
	for _, id := range projectIDs {
		if !made(id, digits) {
			return refused("GitLabCI", "project ID", id, "digits, as in project_id")
		}
	}
	i := gitLab("GitLabCI", instance, []string{audience})
	i.Name, i.SubjectPrefix = "jobs", "project:"
	i.Subject = []oidcauth.Path{{"project_id"}}
	i.ClaimRules = []oidcauth.ClaimRule{
		claimIn(projectIDs, "project_id"),
		{Claim: oidcauth.Path{"sub"}, Prefix: []string{"project_path:"}},
	}
	return i
}

// GitLabUser describes the people of a GitLab instance ("https://gitlab.com"),
// for the application IDs given.
//
// Send the ID token; access tokens are opaque. The tokens of CI jobs have the same
// issuer and are refused, whatever audience they chose: by their "project_id" and
// "project_path".
//
// The identity rests on "sub", the user's number, which is stable. Groups are not
// in the ID token. A token lives two minutes (in a sample of 2019): a socket needs
// a renewal each time, or a broker.
func GitLabUser(instance string, applicationIDs ...string) oidcauth.Issuer {
	i := gitLab("GitLabUser", instance, applicationIDs)
	i.Name = "people"
	i.ClaimRules = []oidcauth.ClaimRule{absent("project_id"), absent("project_path")}
	return i
}

func gitLab(function, instance string, audiences []string) oidcauth.Issuer {
	if !isURL(instance) || strings.HasSuffix(instance, "/") {
		return refused(function, "instance", instance, "a URL such as https://gitlab.com")
	}
	return oidcauth.Issuer{
		URL:        instance,
		Audiences:  slices.Clone(audiences),
		Algorithms: []string{"RS256"},
	}
}
