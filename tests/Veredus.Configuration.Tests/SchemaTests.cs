namespace Veredus.Configuration.Tests;

public class SchemaTests
{
    private static readonly string[] Values =
    [
        "1", "true", "2000", "560", "0640", "\"1/2\"", "no", "none", "auto", "ifneeded", "ignore", "normal", "esmtp", "plain", "reject", "pedantic", "headers", "pass", "relay", "error", "all",
        "component", "fast", "trust", "cluster", "require", "example.com", "10.0.0.1", "\"220 hi\"", "( 10.0.0.0/8 )", "( example.com )", "( DNS )", "( STARTTLS )", "[ a = b ]", "\"+ALL\"",
    ];

    private static string Wrap(ScopeKinds kind, string body) => kind switch
    {
        ScopeKinds.Global => body,
        ScopeKinds.Listen => $"esmtp_listener {{ listen \":25\" {{ {body} }} }}",
        ScopeKinds.Peer => $"esmtp_listener {{ peer 10.0.0.1 {{ {body} }} }}",
        ScopeKinds.Role => $"authorization {{ role r {{ {body} }} }}",
        ScopeKinds.Topology => $"cluster {{ topology 10.0.0.0/8 {{ {body} }} }}",
        ScopeKinds.Replicate => $"cluster {{ replicate metrics {{ {body} }} }}",
        ScopeKinds.LogsManager => $"logs {{ manager m {{ {body} }} }}",
        ScopeKinds.LogsNode => $"logs {{ node n {{ {body} }} }}",
        ScopeKinds.Domain or ScopeKinds.Host => $"{Schema.ScopeName(kind)} example.com {{ {body} }}",
        _ => ScopeDefinition.All.First(s => s.Kind == kind) is { TakesInstance: true } named ? $"{named.Name} x {{ {body} }}" : $"{Schema.ScopeName(kind)} {{ {body} }}",
    };

    private static string ValueFor(Option option) => Values.First(text =>
        SyntaxParser.ParseValue(text, "f", new()) is { } raw && option.Read(raw, null, default, out _) is not null);

    [Fact]
    public void Every_option_is_accepted_in_exactly_its_scopes_and_refused_elsewhere_with_its_place()
    {
        foreach (var option in Schema.AllOptions)
        {
            var name = option.Name.Replace("*", "any", StringComparison.Ordinal);
            foreach (var kind in Enum.GetValues<ScopeKinds>().Where(k => System.Numerics.BitOperations.PopCount((ulong)k) == 1 && k != ScopeKinds.Ignored))
            {
                if (option.Scopes.HasFlag(kind))
                {
                    var result = ConfigurationSnapshot.Parse(Wrap(kind, $"\n{name} = {ValueFor(option)}"));
                    Assert.DoesNotContain(result.Errors, e => string.CompareOrdinal(e.Code, "CFG-0400") < 0 && !e.Message.Contains("empty relay", StringComparison.Ordinal));
                }
                else if (Schema.Find(name, kind) is null)
                {
                    var error = Assert.Single(ConfigurationSnapshot.Parse(Wrap(kind, $"\n{name} = 1")).Errors, e => e.Code.StartsWith("CFG-02", StringComparison.Ordinal));
                    Assert.Equal((2, 1), (error.Position.Line, error.Position.Column));
                }
            }
        }
    }

    [Fact]
    public void No_two_options_share_a_name_and_a_scope() =>
        Assert.All(Schema.AllOptions.GroupBy(o => o.Name), same => Assert.All(same, one => Assert.All(same, other => Assert.True(one == other || (one.Scopes & other.Scopes) == 0, one.Name))));

    [Fact]
    public void Every_row_tells_what_it_does() =>
        Assert.All(Schema.AllOptions, o => Assert.True(o.Summary.EndsWith('.') && o.Section.Length > 0 && o.Scopes != ScopeKinds.None, o.Name));

    [Fact]
    public void A_default_that_is_shown_can_be_written() =>
        Assert.All(Schema.AllOptions.Where(o => o.DefaultText.Length > 0), o =>
            Assert.True(SyntaxParser.ParseValue(o.TypeText.EndsWith("list", StringComparison.Ordinal) || o.TypeText == "dict" ? o.DefaultText : RawValue.Quote(o.DefaultText), "f", new()) is { } raw
                && o.Read(raw, null, default, out _) is not null, $"{o.Name} = {o.DefaultText}"));

    [Fact]
    public void The_reference_page_is_up_to_date()
    {
        var path = Path.Combine(Repository(), "docs", "options.md");
        var page = ReferencePage.Render();
        if (Environment.GetEnvironmentVariable("VEREDUS_UPDATE_DOCS") == "1")
            File.WriteAllText(path, page);
        Assert.True(File.Exists(path) && File.ReadAllText(path) == page, "docs/options.md is out of date; make it again with VEREDUS_UPDATE_DOCS=1 dotnet test tests/Veredus.Configuration.Tests");
    }

    [Fact]
    public void The_shipped_configuration_is_valid_and_uses_only_what_works()
    {
        var text = File.ReadAllText(Path.Combine(Repository(), "etc", "veredus.conf"));
        var result = ConfigurationSnapshot.Parse(text, "etc/veredus.conf");
        Assert.Empty(result.Diagnostics);
        // The examples in its comments are right as well: '#>' marks a line that can be taken into use.
        var examples = ConfigurationSnapshot.Parse(text.Replace("\n#> ", "\n", StringComparison.Ordinal), "etc/veredus.conf");
        Assert.Empty(examples.Diagnostics);
        Assert.True(examples.Snapshot!.Bindings.Count > 1);
    }

    internal static string Repository()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "veredus.slnx")))
            directory = directory.Parent;
        return directory?.FullName ?? throw new InvalidOperationException("The repository's root was not found above the test's directory.");
    }
}
