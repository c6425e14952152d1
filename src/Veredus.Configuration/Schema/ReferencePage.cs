using System.Text;

namespace Veredus.Configuration;

/// <summary>Makes <c>docs/options.md</c> from the option table.</summary>
public static class ReferencePage
{
    private const string Head = """
        # Options

        Made from the option table in `src/Veredus.Configuration/Schema`; a test keeps it true. How the language works is in
        [configuration.md](configuration.md).

        Scopes: where an option may be set; what is not set there comes from the wider scopes. "restart": a change takes
        effect after a restart. Effect: **yes**; *later* = checked, not implemented yet; *default only* = behaves as the default says; *cluster* = checked, no effect on a
        single node; *ignored* = accepted so that existing files load. Groups of scopes: **sending** = global, binding_group,
        binding, domain; **inbound** = esmtp_listener, listen, peer, pathway, pathway_group; **any listener**; **any module**.


        """;

    public static string Render()
    {
        var page = new StringBuilder(Head);
        foreach (var section in Schema.AllOptions.GroupBy(o => o.Section))
        {
            page.Append("## ").Append(section.Key).Append("\n\n| option | scopes | type | default | effect | meaning |\n| --- | --- | --- | --- | --- | --- |\n");
            foreach (var option in section)
            {
                page.Append("| `").Append(option.Name).Append("` | ").Append(Scopes(option.Scopes)).Append(" | ").Append(Cell(option.TypeText)).Append(" | ")
                    .Append(option.DefaultText.Length == 0 ? "–" : $"`{Cell(option.DefaultText)}`").Append(" | ").Append(Effect(option)).Append(" | ").Append(Cell(option.Summary)).Append(" |\n");
            }
            page.Append('\n');
        }
        page.Append("## Scopes\n\n| scope | named | inside | meaning |\n| --- | --- | --- | --- |\n");
        foreach (var scope in ScopeDefinition.All)
        {
            page.Append("| `").Append(scope.Name).Append("` | ").Append(!scope.TakesInstance ? "no" : scope.InstanceOptional ? "optional" : "yes").Append(" | ")
                .Append(Scopes(scope.Parents)).Append(" | ").Append(scope.Summary).Append(" |\n");
        }
        return page.ToString();
    }

    /// <summary>Groups that always go together have one word.</summary>
    private static string Scopes(ScopeKinds kinds)
    {
        List<string> words = [];
        foreach (var (group, word) in ((ScopeKinds, string)[])[(ScopeKinds.AnyModule, "any module"), (ScopeKinds.Sending, "sending"), (ScopeKinds.Inbound, "inbound"), (ScopeKinds.AnyListener, "any listener")])
        {
            if ((kinds & group) == group)
            {
                words.Add(word);
                kinds &= ~group;
            }
        }
        if (kinds.Includes(~ScopeKinds.Ignored))
            words.Add(Schema.ScopeNames(kinds));
        return string.Join(", ", words);
    }

    private static string Effect(Option option) => option.Status switch
    {
        OptionStatus.Active => "**yes**",
        OptionStatus.NotYet => "*later*",
        OptionStatus.DefaultOnly => "*default only*",
        OptionStatus.ClusterNotYet => "*cluster*",
        _ => "*ignored*",
    } + (option.NonDynamic ? ", restart" : "");

    private static string Cell(string text) => text.Replace("|", "\\|", StringComparison.Ordinal);
}
