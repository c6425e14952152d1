using System.Text;

namespace Veredus.Configuration;

/// <summary>Scopes and settings as text, in the language itself.</summary>
internal static class Renderer
{
    public static string Setting(Option option, RawValue value, string indent = "", bool mask = true) =>
        $"{indent}{option.DisplayName} = {(mask ? Masking.Show(option, value) : value).Render(indent)}";

    public static string ScopeHead(ScopeNode scope) => scope.Instance.Length == 0 ? scope.Name : $"{scope.Name} {RawValue.Quote(scope.Instance)}";

    /// <summary>Own settings; children only by name.</summary>
    public static string Shallow(ScopeNode scope)
    {
        var text = new StringBuilder();
        foreach (var setting in scope.Settings)
            text.Append(Setting(setting.Option, setting.Raw!)).Append('\n');
        foreach (var child in scope.Children)
            text.Append(ScopeHead(child)).Append(" { ... }\n");
        return text.ToString();
    }

    /// <summary>The scope with all below it; can be read again, unless secrets are masked.</summary>
    public static string Recurse(ScopeNode scope, bool mask = true)
    {
        var text = new StringBuilder();
        Write(text, scope, "", mask);
        return text.ToString();
    }

    private static void Write(StringBuilder text, ScopeNode scope, string indent, bool mask)
    {
        foreach (var setting in scope.Settings)
            text.Append(Setting(setting.Option, setting.Raw!, indent, mask)).Append('\n');
        foreach (var child in scope.Children)
        {
            text.Append(indent).Append(ScopeHead(child)).Append(" {\n");
            Write(text, child, indent + "  ", mask);
            text.Append(indent).Append("}\n");
        }
    }
}
