package identity_test

import (
	"bytes"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"lukechampine.com/blake3"

	"github.com/oidcauth/oidcauth/identity"
)

const aliceDigits = "c2001f9c165b3e2eebcbee5c898bea3364522875dca0074e46a42e131f711b24"

var (
	aliceIdentity = identity.New("https://issuer.example", "alice")
	bobIdentity   = identity.New("https://issuer.example", "bob")
)

type identityVectors struct {
	Identities []struct{ Name, Issuer, Subject, Identity string }
	Hashes     []struct {
		Length int
		BLAKE3 string
	}
}

func loadIdentityVectors(t testing.TB) identityVectors {
	t.Helper()
	data, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v identityVectors
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Identities) < 22 || len(v.Hashes) < 20 {
		t.Fatalf("vectors.json has %d identities and %d hashes, want at least 22 and 20",
			len(v.Identities), len(v.Hashes))
	}
	return v
}

func TestNew_KnownVectors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ issuer, subject, want string }{
		{"localhost", "6d4b5430-00cf-4a99-932c-ad2d07bab841", "c200483152d642c7d402de06cacc36dcb0c2a1f2bbeb8e7d5a673f2435cca975"},
		{"https://issuer.example", "alice", aliceDigits},
	} {
		if got := identity.New(tt.issuer, tt.subject).String(); got != tt.want {
			t.Errorf("New(%q, %q) = %s, want %s", tt.issuer, tt.subject, got, tt.want)
		}
	}
}

func TestNew_Vectors(t *testing.T) {
	t.Parallel()
	seen := map[identity.Identity]string{}
	for _, v := range loadIdentityVectors(t).Identities {
		got := identity.New(v.Issuer, v.Subject)
		if got.String() != v.Identity {
			t.Errorf("%s: New() = %s, want %s", v.Name, got, v.Identity)
		}
		if other, twice := seen[got]; twice {
			t.Errorf("%s: same identity as %s", v.Name, other)
		}
		seen[got] = v.Name
	}
}

// TestBLAKE3Vectors holds the hash itself to the reference implementation,
// across its block, chunk and tree boundaries.
func TestBLAKE3Vectors(t *testing.T) {
	t.Parallel()
	for _, v := range loadIdentityVectors(t).Hashes {
		input := make([]byte, v.Length)
		for i := range input {
			input[i] = byte(i % 251)
		}
		hash := blake3.Sum256(input)
		if got := hex.EncodeToString(hash[:]); got != v.BLAKE3 {
			t.Errorf("%d bytes: BLAKE3 = %s, want %s", v.Length, got, v.BLAKE3)
		}
	}
}

// TestNew_BarIsAmbiguous shows why an issuer must not contain "|".
func TestNew_BarIsAmbiguous(t *testing.T) {
	t.Parallel()
	if identity.New("a|b", "c") != identity.New("a", "b|c") {
		t.Error("derivation differs from SpacetimeDB's: the two pairs hash the same input")
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	flip := func(at int) string {
		b := []byte(aliceDigits)
		if b[at] == '0' {
			b[at] = '1'
		} else {
			b[at] = '0'
		}
		return string(b)
	}
	for _, tt := range []struct {
		name, in string
		want     error
	}{
		{"lower case", aliceDigits, nil},
		{"upper case", strings.ToUpper(aliceDigits), nil},
		{"with 0x", "0x" + aliceDigits, nil},
		{"with 0X", "0X" + aliceDigits, identity.ErrInvalid},
		{"with 0x twice", "0x0x" + aliceDigits, identity.ErrInvalid},
		{"empty", "", identity.ErrInvalid},
		{"0x alone", "0x", identity.ErrInvalid},
		{"one digit short", aliceDigits[:63], identity.ErrInvalid},
		{"one digit long", aliceDigits + "0", identity.ErrInvalid},
		{"0x counted as digits", "0x" + aliceDigits[2:], identity.ErrInvalid},
		{"space in front", " " + aliceDigits, identity.ErrInvalid},
		{"line feed behind", aliceDigits + "\n", identity.ErrInvalid},
		{"not a digit", "g" + aliceDigits[1:], identity.ErrInvalid},
		{"full-width digit, three bytes", strings.Repeat("0", 61) + "\uff10", identity.ErrInvalid},
		{"zeros", strings.Repeat("0", 64), identity.ErrInvalid},
		{"another prefix", "c201" + aliceDigits[4:], identity.ErrInvalid},
		{"digit of the checksum changed", flip(4), identity.ErrInvalid},
		{"last digit of the checksum changed", flip(11), identity.ErrInvalid},
		{"first digit of the hash changed", flip(12), identity.ErrInvalid},
		{"last digit changed", flip(63), identity.ErrInvalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := identity.Parse(tt.in)
			if !errors.Is(err, tt.want) {
				t.Fatalf("Parse() error = %v, want %v", err, tt.want)
			}
			if err == nil && got != aliceIdentity {
				t.Errorf("Parse() = %s, want %s", got, aliceIdentity)
			}
			if err != nil && !got.IsZero() {
				t.Errorf("Parse() = %s beside an error, want nobody", got)
			}
		})
	}
}

func TestParse_ErrorsSayGotAndWant(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		aliceDigits[:10]:                  `got 10 characters, want 64 hexadecimal digits`,
		"z" + aliceDigits[1:]:             `invalid byte: U+007A 'z', want 64 hexadecimal digits`,
		"c300" + aliceDigits[4:]:          `got prefix "c300", want "c200"`,
		"c20000000000" + aliceDigits[12:]: `got checksum "00000000", want "1f9c165b"`,
	} {
		_, err := identity.Parse(in)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q) error = %v, want it to say %s", in, err, want)
		}
	}
}

func TestIdentity_JSON(t *testing.T) {
	t.Parallel()
	type row struct {
		Owner identity.Identity
		Seen  map[identity.Identity]int
		Skip  identity.Identity `json:",omitzero"`
	}
	in := row{Owner: aliceIdentity, Seen: map[identity.Identity]int{aliceIdentity: 2}}
	data, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"Owner":"` + aliceDigits + `","Seen":{"` + aliceDigits + `":2}}`
	if string(data) != want {
		t.Errorf("Marshal() = %s, want %s", data, want)
	}
	var out row
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	if out.Owner != aliceIdentity || out.Seen[aliceIdentity] != 2 {
		t.Errorf("Unmarshal() = %v, want %v", out, in)
	}
}

func TestIdentity_UnmarshalJSON(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, in string
		want     identity.Identity
		err      error
	}{
		{"digits", `"` + aliceDigits + `"`, aliceIdentity, nil},
		{"empty string is nobody", `""`, identity.Identity{}, nil},
		{"null changes nothing", `null`, bobIdentity, nil},
		{"wrong checksum changes nothing", `"c200` + strings.Repeat("0", 60) + `"`, bobIdentity, identity.ErrInvalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := bobIdentity
			if err := json.Unmarshal([]byte(tt.in), &got); !errors.Is(err, tt.err) {
				t.Errorf("Unmarshal() error = %v, want %v", err, tt.err)
			}
			if got != tt.want {
				t.Errorf("Unmarshal() = %s, want %s", got, tt.want)
			}
		})
	}
	for _, in := range []string{`17`, `true`, `[194,0]`, `{}`} {
		got := bobIdentity
		err := json.Unmarshal([]byte(in), &got)
		if _, typed := errors.AsType[*json.UnmarshalTypeError](err); !typed || got != bobIdentity {
			t.Errorf("Unmarshal(%s) = %s, %v, want a type error", in, got, err)
		}
	}
}

func TestIdentity_Binary(t *testing.T) {
	t.Parallel()
	for _, id := range []identity.Identity{aliceIdentity, {}} {
		data, err := id.MarshalBinary()
		if err != nil || len(data) != 32 || !bytes.Equal(data, id[:]) {
			t.Errorf("MarshalBinary() = %x, %v, want %x", data, err, id[:])
		}
		got := identity.Identity{1}
		if err := got.UnmarshalBinary(data); err != nil || got != id {
			t.Errorf("UnmarshalBinary() = %s, %v, want %s", got, err, id)
		}
	}
	bent := aliceIdentity
	bent[31] ^= 1
	for name, data := range map[string][]byte{
		"empty": nil, "31 bytes": aliceIdentity[:31], "33 bytes": append(aliceIdentity[:], 0),
		"one bit changed": bent[:], "all ones": bytes.Repeat([]byte{0xff}, 32),
	} {
		got := aliceIdentity
		if err := got.UnmarshalBinary(data); !errors.Is(err, identity.ErrInvalid) {
			t.Errorf("%s: UnmarshalBinary() error = %v, want %v", name, err, identity.ErrInvalid)
		}
		if got != aliceIdentity {
			t.Errorf("%s: identity changed to %s", name, got)
		}
	}
}

func TestIdentity_Append(t *testing.T) {
	t.Parallel()
	text, _ := aliceIdentity.AppendText([]byte("id="))
	if string(text) != "id="+aliceDigits {
		t.Errorf("AppendText() = %s", text)
	}
	binary, _ := aliceIdentity.AppendBinary([]byte{7})
	if !bytes.Equal(binary, append([]byte{7}, aliceIdentity[:]...)) {
		t.Errorf("AppendBinary() = %x", binary)
	}
}

func TestIdentity_Gob(t *testing.T) {
	t.Parallel()
	type row struct{ A, B identity.Identity }
	var buf bytes.Buffer
	if err := gob.NewEncoder(&buf).Encode(row{A: aliceIdentity}); err != nil {
		t.Fatal(err)
	}
	var got row
	if err := gob.NewDecoder(&buf).Decode(&got); err != nil || got.A != aliceIdentity || !got.B.IsZero() {
		t.Errorf("Decode() = %v, %v", got, err)
	}
}

func TestIdentity_Compare(t *testing.T) {
	t.Parallel()
	var ids []identity.Identity
	for _, v := range loadIdentityVectors(t).Identities {
		id, err := identity.Parse(v.Identity)
		if err != nil {
			t.Fatalf("%s: %v", v.Name, err)
		}
		ids = append(ids, id)
	}
	slices.SortFunc(ids, identity.Identity.Compare)
	if !slices.IsSortedFunc(ids, func(a, b identity.Identity) int { return strings.Compare(a.String(), b.String()) }) {
		t.Error("Compare() orders otherwise than the digits do")
	}
	if aliceIdentity.Compare(aliceIdentity) != 0 {
		t.Error("Compare() of an identity with itself is not 0")
	}
}

func TestNew_Allocations(t *testing.T) {
	allocs := testing.AllocsPerRun(100, func() { identity.New("https://issuer.example", "alice") })
	if allocs >= 1 { // a collection of garbage may empty the pool
		t.Errorf("New() allocates %v times, want none", allocs)
	}
}

func FuzzParse(f *testing.F) {
	for _, v := range loadIdentityVectors(f).Identities {
		f.Add(v.Identity)
	}
	for _, s := range []string{"", "0x", "0x" + aliceDigits, strings.ToUpper(aliceDigits), strings.Repeat("0", 64)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := identity.Parse(s)
		if err != nil {
			if !errors.Is(err, identity.ErrInvalid) || !id.IsZero() {
				t.Fatalf("Parse(%q) = %s, %v", s, id, err)
			}
			return
		}
		if id.String() != strings.ToLower(strings.TrimPrefix(s, "0x")) {
			t.Fatalf("Parse(%q) = %s", s, id)
		}
		var back identity.Identity
		if err := back.UnmarshalBinary(id[:]); err != nil || back != id {
			t.Fatalf("UnmarshalBinary() = %s, %v, want %s", back, err, id)
		}
	})
}

func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		identity.New("https://issuer.example/realms/chat", "6d4b5430-00cf-4a99-932c-ad2d07bab841")
	}
}

func ExampleNew() {
	id := identity.New("https://issuer.example", "alice")
	fmt.Println(id)
	// Output: c2001f9c165b3e2eebcbee5c898bea3364522875dca0074e46a42e131f711b24
}

func ExampleParse() {
	id, err := identity.Parse("0xC2001F9C165B3E2EEBCBEE5C898BEA3364522875DCA0074E46A42E131F711B24")
	fmt.Println(id, err)

	_, err = identity.Parse("c2001f9c165b3e2eebcbee5c898bea3364522875dca0074e46a42e131f711b25")
	fmt.Println(errors.Is(err, identity.ErrInvalid), err)
	// Output:
	// c2001f9c165b3e2eebcbee5c898bea3364522875dca0074e46a42e131f711b24 <nil>
	// true oidcauth: not an identity: got checksum "1f9c165b", want "ec1f6ab5"
}
