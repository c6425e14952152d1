using System.Text;

namespace Veredus.Smtp.Tests.Grammar;

public class AddressGrammarTests
{
    [Theory]
    [InlineData("<ann@example.net>", "ann@example.net")]
    [InlineData("<Ann.O'Hara+tag@Example.NET>", "Ann.O'Hara+tag@Example.NET")]
    [InlineData("<\"a b\\\"c@d\"@example.net>", "\"a b\\\"c@d\"@example.net")]
    [InlineData("<ann@[192.0.2.1]>", "ann@[192.0.2.1]")]
    [InlineData("<ann@[IPv6:2001:db8::1]>", "ann@[IPv6:2001:db8::1]")]
    [InlineData("<@relay.example,@[192.0.2.1]:ann@example.net>", "ann@example.net")]
    [InlineData("<postmaster>", "postmaster")]
    [InlineData("<PostMaster>", "PostMaster")]
    [InlineData("<jörg@münchen.example>", "jörg@münchen.example")]
    public void A_well_formed_path_is_read(string path, string address)
    {
        ReadOnlySpan<byte> text = Encoding.UTF8.GetBytes(path);
        Assert.True(AddressGrammar.TryTakePath(ref text, AddressRules.None, out var read));
        Assert.Equal(address, read.Value);
        Assert.True(text.IsEmpty);
    }

    [Theory]
    [InlineData("ann@example.net")]
    [InlineData("<ann@example.net")]
    [InlineData("<>")]
    [InlineData("<ann>")]
    [InlineData("<@example.net>")]
    [InlineData("<ann@>")]
    [InlineData("<a..b@example.net>")]
    [InlineData("<a.@example.net>")]
    [InlineData("<.a@example.net>")]
    [InlineData("<a b@example.net>")]
    [InlineData("<ann@exa_mple.net>")]
    [InlineData("<ann@example..net>")]
    [InlineData("<ann@example.net.>")]
    [InlineData("<ann@-example.net>")]
    [InlineData("<ann@[10.1]>")]
    [InlineData("<ann@[300.1.1.1]>")]
    [InlineData("<ann@[IPv6:192.0.2.1]>")]
    [InlineData("<ann@[2001:db8::1]>")]
    [InlineData("<ann@[IPv6:fe80::1%eth0]>")]
    [InlineData("<\"\"@example.net>")]
    [InlineData("<\"a@example.net>")]
    [InlineData("<\"a\\\"@example.net>")]
    [InlineData("<@relay:>")]
    [InlineData("<@relay,ann@example.net>")]
    [InlineData("<ann@example.net\0>")]
    public void An_ill_formed_path_is_refused_and_nothing_taken(string path)
    {
        ReadOnlySpan<byte> text = Encoding.UTF8.GetBytes(path);
        var length = text.Length;
        Assert.False(AddressGrammar.TryTakePath(ref text, AddressRules.None, out _));
        Assert.Equal(length, text.Length);
    }

    [Theory]
    [InlineData("a..b@example.net", AddressRules.Relaxed)]
    [InlineData("a.@example.net", AddressRules.Relaxed)]
    [InlineData(".a@example.net", AddressRules.Relaxed)]
    [InlineData("ann@a_b.example", AddressRules.Relaxed)]
    [InlineData("ann", AddressRules.Unqualified)]
    [InlineData("\"a@b\"", AddressRules.Unqualified)]
    [InlineData("", AddressRules.Null)]
    public void A_rule_admits_what_is_refused_without_it(string address, AddressRules rule)
    {
        Assert.False(AddressGrammar.TryParse(address, AddressRules.None, out _));
        Assert.True(AddressGrammar.TryParse(address, rule, out var read));
        Assert.Equal(address, read.Value);
    }

    [Fact]
    public void Lengths_are_bounded()
    {
        var label = new string('a', 63);
        Assert.True(AddressGrammar.TryParse($"a@{label}.{label}.{label}.{label[..62]}", AddressRules.None, out _));
        Assert.False(AddressGrammar.TryParse($"a@{label}.{label}.{label}.{label}.a", AddressRules.None, out _));
        Assert.False(AddressGrammar.TryParse($"a@{label}a", AddressRules.None, out _));
        Assert.False(AddressGrammar.TryParse(new string('a', 310) + "@example.net", AddressRules.None, out _));
    }

    [Theory]
    [InlineData("ann@example.net", "ann", "example.net", true, false)]
    [InlineData("\"a@b\"@example.net", "\"a@b\"", "example.net", true, false)]
    [InlineData("\"a@b\"", "\"a@b\"", "", false, false)]
    [InlineData("postmaster", "postmaster", "", false, false)]
    [InlineData("ann@[192.0.2.1]", "ann", "[192.0.2.1]", true, true)]
    public void An_address_is_divided_at_its_at_sign(string address, string local, string domain, bool qualified, bool literal)
    {
        var value = new EnvelopeAddress(address);
        Assert.Equal((local, domain, qualified, literal), (value.LocalPart.ToString(), value.Domain.ToString(), value.IsQualified, value.IsLiteral));
    }

    [Theory]
    [InlineData("a+2Bb", "a+b")]
    [InlineData("+C3+BC", "ü")]
    [InlineData("plain", "plain")]
    public void Xtext_is_decoded_and_encoded(string encoded, string decoded)
    {
        Assert.True(Xtext.TryDecode(encoded, out var text));
        Assert.Equal(decoded, text);
        Assert.Equal(encoded, Xtext.Encode(decoded));
    }

    [Theory]
    [InlineData("a+2b")]
    [InlineData("a+2")]
    [InlineData("a=b")]
    [InlineData("a b")]
    [InlineData("+FF")]
    public void Ill_formed_xtext_is_refused(string encoded) => Assert.False(Xtext.TryDecode(encoded, out _));
}
