using System.Text;
using Veredus.Output;

namespace Veredus.Terminal;

/// <summary>Asks for a secret without showing it.</summary>
internal static class Secret
{
    /// <summary>What was typed; <see langword="null"/> when the user gave up (Ctrl-C, Ctrl-D, Escape).</summary>
    public static string? Ask(string prompt, Screen screen)
    {
        screen.Write(prompt);
        var text = new StringBuilder();
        while (true)
        {
            var key = Console.ReadKey(intercept: true);
            switch (key.Key)
            {
                case ConsoleKey.Enter:
                    screen.Line();
                    return text.ToString();
                case ConsoleKey.Backspace when text.Length > 0:
                    text.Length--;
                    break;
                case ConsoleKey.Escape:
                case ConsoleKey.D when key.Modifiers is ConsoleModifiers.Control:
                    screen.Line();
                    return null;
                default:
                    if (!char.IsControl(key.KeyChar))
                        text.Append(key.KeyChar);
                    break;
            }
        }
    }
}
